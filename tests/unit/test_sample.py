"""The sandbox: laid out once, then looked at from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from wizard.base import process
from wizard.base.errors import OperationFailed, UsageError
from wizard.base.events import Event, Events, Finding, Report
from wizard.config import config
from wizard.postgres.address import Address, connect
from wizard.sandbox.layout import ALIAS, MARKER, RunningSandbox, Sandbox, lay_out, running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.xdist_group("sample"),  # laid out once
]

POSTS = 12
SECRETS = ("LOCAL", "PRODUCTION", "STAGING")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A sandbox, made where an interrupted layout had left its traces."""
    root = tmp_path_factory.mktemp("sandbox")
    (root / MARKER).write_text('{"complete": false}')
    (root / "site").mkdir()
    (root / "site" / "stale.py").touch()
    return await lay_out(root, posts=POSTS, report=Report(Events(), "demo"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(sandbox: Sandbox) -> AsyncIterator[RunningSandbox]:
    async with running(sandbox) as servers:
        yield servers


async def fetch(address: Address, query: str) -> list[tuple[object, ...]]:
    async with await connect(address) as connection:
        return await (await connection.execute(query)).fetchall()


async def manage(sandbox: Sandbox, *arguments: str, stdin: str | None = None) -> str:
    ended = await process.run(
        [sandbox.python, "manage.py", *arguments],
        cwd=sandbox.site,
        stdin=stdin.encode() if stdin else None,
    )
    assert ended.returncode == 0, ended.stderr_tail
    return ended.stdout


PRODUCTION_HAS = {
    "select count(*) from cast_post": POSTS,
    "select string_agg(slug, ' ' order by slug) from cast_blog join wagtailcore_page"
    " on page_ptr_id = id": "notes show",
    "select count(*) from wagtailcore_page p join wagtailcore_page b on b.slug = 'show'"
    " and p.path like b.path || '____'": POSTS // 2,
    "select title from wagtailcore_page where slug = 'bad-admin'": "bad [/admin]",
    "select count(*) from wagtailcore_page where not live": 1,
    "select hostname || ':' || port from wagtailcore_site": "harbour.example:443",
    "select root_page_id = (select id from wagtailcore_page where slug = 'harbour-street')"
    " from wagtailcore_site": True,
    "select string_agg(username, ' ' order by username) from auth_user": "admin ana bo",
    "select count(*) from auth_user where password not like '!%'": 0,
    # the moved fields, each with a value that is not the default
    "select i.title from cast_blog b join wagtailimages_image i on i.id = b.itunes_artwork_id"
    " join wagtailcore_page p on p.id = b.page_ptr_id where p.slug = 'show'": (
        "The Harbour Show, artwork"
    ),
    "select itunes_categories::json -> 'Leisure' ->> 0 from cast_blog"
    " where itunes_categories <> ''": "Hobbies",
    "select keywords || ' ' || explicit from cast_blog where keywords <> ''": (
        "harbour, boats, lighthouse, oral history, tide 2"
    ),
    # what refers to the show
    "select count(*) from wagtailcore_revision r join wagtailcore_page p"
    " on r.object_id = p.id::text where p.slug = 'show'": 3,
    "select r.content ->> 'title' from wagtailcore_page p join wagtailcore_revision r"
    " on r.id = p.latest_revision_id where p.slug = 'show' and p.has_unpublished_changes"
    " and p.live_revision_id <> p.latest_revision_id": "The Harbour Show, autumn season",
    "select count(*) from wagtailcore_revision r join wagtailcore_page p"
    " on r.object_id = p.id::text where p.slug = 'notes'": 2,
    "select count(*) from wagtailcore_page p join cast_post on page_ptr_id = p.id"
    " where p.latest_revision_id is null": 0,
    "select string_agg(contentpath, ' ') from wagtailcore_comment c join wagtailcore_page p"
    " on p.id = c.page_id join wagtailcore_commentreply r on r.comment_id = c.id"
    " where p.slug = 'show'": "keywords",
    "select count(*) from wagtailcore_comment c join cast_post on page_ptr_id = page_id"
    " join wagtailcore_commentreply r on r.comment_id = c.id": 1,
    "select string_agg(p.slug, ' ' order by old_path) from wagtailredirects_redirect"
    " join wagtailcore_page p on p.id = redirect_page_id": (
        "the-keeper-who-never-learned-to-swim show"
    ),
    "select count(*) from wagtailcore_grouppagepermission gp join auth_group g"
    " on g.id = gp.group_id join wagtailcore_page p on p.id = gp.page_id"
    " where g.name = 'Show editors' and p.slug = 'show'": 3,
    "select string_agg(restriction_type, ' ' order by restriction_type)"
    " from wagtailcore_pageviewrestriction": "groups password",
    "select count(*) from wagtailcore_pageviewrestriction_groups": 1,
    "select count(*) from wagtailcore_pagesubscription s join wagtailcore_page p"
    " on p.id = s.page_id where p.slug = 'show'": 1,
    "select p.slug from cast_homepage join wagtailcore_page p on p.id = featured_id": "show",
}


@pytest.mark.parametrize(("query", "expected"), PRODUCTION_HAS.items())
async def test_production_has_each_kind_of_content(
    servers: RunningSandbox, query: str, expected: object
) -> None:
    assert await fetch(servers.production_address(), query) == [(expected,)]


async def test_texts_and_blocks_link_to_the_show(servers: RunningSandbox) -> None:
    production = servers.production_address()
    [(show,)] = await fetch(production, "select id from wagtailcore_page where slug = 'show'")
    for holder, expected in (
        ('cast_homepage where intro like \'%<a id="{}" linktype="page">%\'', 1),
        ('cast_blog where description like \'%<a id="{}" linktype="page">%\'', 1),
        ('cast_post where body::text like \'%<a id=\\\\"{}\\\\" linktype=\\\\"page\\\\">%\'', 3),
        ("cast_post where body @? '$[*].value[*].value.page ? (@ == {})'", 3),
    ):
        query = f"select count(*) from {holder.format(show)}"
        assert await fetch(production, query) == [(expected,)], query


async def test_staging_is_a_copy_under_its_own_name(servers: RunningSandbox) -> None:
    staging = servers.production_address("harbour_staging")
    site = "select hostname, port from wagtailcore_site"
    assert await fetch(staging, site) == [("staging.harbour.example", 443)]
    assert await fetch(staging, "select count(*) from cast_post") == [(POSTS,)]


async def test_production_role_makes_databases_and_is_no_superuser(
    servers: RunningSandbox,
) -> None:
    query = "select rolcreatedb, rolsuper from pg_roles where rolname = current_user"
    assert await fetch(servers.production_address(), query) == [(True, False)]
    owner = "select pg_get_userbyid(datdba) from pg_database where datname = current_database()"
    assert await fetch(servers.production_address(), owner) == [("deploy",)]


async def test_filling_twice_gives_the_same_rows(servers: RunningSandbox) -> None:
    """With 12 posts, local and production differ in the Site alone."""
    site = "select hostname, port from wagtailcore_site"
    assert await fetch(servers.local_address(), site) == [("localhost", 8000)]
    for table in ("wagtailcore_page", "cast_blog", "cast_post", "wagtailcore_revision"):
        query = f"select count(*), md5(string_agg(t::text, '|' order by t::text)) from {table} t"
        near, far = await asyncio.gather(
            fetch(servers.local_address(), query), fetch(servers.production_address(), query)
        )
        assert near == far, table


async def test_project_is_sound(sandbox: Sandbox, servers: RunningSandbox) -> None:
    assert "no issues" in await manage(sandbox, "check")
    assert "No changes" in await manage(sandbox, "makemigrations", "--check", "--dry-run")
    assert "[X] 0001_initial" in await manage(sandbox, "showmigrations", "cast")


LOOK = """
import json, sys
from django.test import Client
from wagtail.models import Page
def get(path):
    response = Client().get(path)
    return [response.status_code, response.get("Location", ""), response.content.decode()]
paths = ["/", "/show/", "/notes/", "/show/bad-admin/", "/podcast", "/nowhere/",
         "/show/the-keeper-who-never-learned-to-swim/", "/show/what-the-tide-gauge-knows/"]
found = {"problems": list(Page.find_problems()), "pages": {path: get(path) for path in paths}}
print("\\n" + json.dumps(found))
"""


async def test_site_is_served(sandbox: Sandbox, servers: RunningSandbox) -> None:
    printed = await manage(sandbox, "shell", "--verbosity=0", stdin=LOOK)
    found = json.loads(printed.strip().splitlines()[-1])
    assert found["problems"] == [[], [], [], [], []]
    pages = found["pages"]
    assert {path: status for path, (status, _, _) in pages.items()} == {
        "/": 200,
        "/show/": 200,
        "/notes/": 200,
        "/show/bad-admin/": 200,
        "/podcast": 301,
        "/nowhere/": 404,
        "/show/the-keeper-who-never-learned-to-swim/": 200,
        "/show/what-the-tide-gauge-knows/": 200,
    }
    assert 'href="/show/"' in pages["/"][2]
    assert "bad [/admin]" in pages["/show/"][2]
    assert pages["/podcast"][1].endswith("/show/")
    keeper = pages["/show/the-keeper-who-never-learned-to-swim/"][2]
    assert 'href="/notes/re-caulking-the-marigold/"' in keeper  # from a page chooser
    assert 'href="/show/hello-from-the-harbour-wall/"' in keeper  # from rich text
    assert "ninety years" not in pages["/show/what-the-tide-gauge-knows/"][2]


async def test_config_is_readable_and_its_install_command_installs_a_copy(
    sandbox: Sandbox,
) -> None:
    read = config.read(sandbox.config)
    assert read.project.python == sandbox.python
    assert read.project.package == sandbox.package
    assert all(read.origin[f"REMODEL_{name}_PASSWORD"] == ".env" for name in SECRETS)
    where: list[str | Path] = [
        sandbox.python,
        "-c",
        "import harbour_cast; print(harbour_cast.__file__)",
    ]
    installed = Path((await process.run(where)).stdout.strip())
    assert installed.is_relative_to(sandbox.site / ".venv")
    source = sandbox.package / "src" / "harbour_cast" / "models.py"
    before = source.read_text()
    source.write_text(before + "# edited\n")
    try:
        assert (await process.run(read.project.install)).returncode == 0
        assert installed.with_name("models.py").read_text().endswith("# edited\n")
    finally:
        source.write_text(before)
        await process.run(read.project.install)


async def test_commands_over_ssh_reach_production(
    sandbox: Sandbox, servers: RunningSandbox
) -> None:
    trusted = asyncssh.import_known_hosts(f"[127.0.0.1]:{servers.ssh.port} {servers.ssh.host_key}")
    async with asyncssh.connect(
        ALIAS, config=[str(sandbox.ssh_config)], known_hosts=trusted
    ) as connection:
        counted = await connection.run("psql -Atc 'select count(*) from cast_post' harbour")
        assert (counted.exit_status, counted.stdout) == (0, f"{POSTS}\n")
        await connection.run("touch podcast-stopped", check=True)
    assert (sandbox.home / "podcast-stopped").exists()


async def test_no_password_is_readable_by_others(sandbox: Sandbox) -> None:
    passwords = [sandbox.secret(f"REMODEL_{name}_PASSWORD").reveal() for name in SECRETS]
    for path in sandbox.root.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if any(password.encode() in content for password in passwords):
            assert path.stat().st_mode & 0o077 == 0, path


async def test_laying_out_again_keeps_what_exists(sandbox: Sandbox) -> None:
    told: list[Event] = []
    events = Events()
    events.subscribe(told.append)
    assert not (sandbox.site / "stale.py").exists()
    kept = sandbox.environment.read_text()
    again = await lay_out(sandbox.root, posts=40, report=Report(events, "demo"))
    assert again == sandbox
    assert kept == sandbox.environment.read_text()
    assert [event.value for event in told if isinstance(event, Finding)] == [
        f"{sandbox.root}, as it was, with {POSTS} posts"
    ]


async def test_refuses_a_second_process(sandbox: Sandbox, servers: RunningSandbox) -> None:
    with pytest.raises(OperationFailed, match="in use"):
        async with running(sandbox):
            pass


async def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(UsageError, match="something else"):
        await lay_out(tmp_path, posts=POSTS, report=Report(Events(), "demo"))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


async def test_too_few_posts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too small"):
        await lay_out(tmp_path / "new", posts=3, report=Report(Events(), "demo"))
    assert not (tmp_path / "new").exists()
