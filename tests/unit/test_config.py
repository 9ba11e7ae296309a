"""remodel.yml: everything that can be said, and each way of saying it wrong."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.support.remodel_yml import GOOD, write
from wizard.base.errors import ConfigError, ExitCode
from wizard.base.redaction import redact
from wizard.config import config


def test_reads_every_key(tmp_path: Path) -> None:
    found = config.read(write(tmp_path))
    assert found.project.package == tmp_path.parent / "django-cast"
    assert found.project.install == ("flit", "install", "-s")
    assert found.backup_source is found.targets["production"]
    assert found.targets["staging"].delivery == "playbook"
    assert found.targets["production"].delivery == "swap"
    assert found.targets["production"].before == (("systemctl", "stop", "podcast"),)
    assert found.conversion.move == ("itunes_artwork", "itunes_categories", "keywords", "explicit")
    assert found.conversion.app == "cast"
    assert found.origin["conversion.from"] == "remodel.yml:23"
    assert found.origin["local.port"] == "default"


def test_reads_every_selector_ids_and_fields(tmp_path: Path) -> None:
    pages = (
        "[{slug: show}, {path: /blog/}, {id: 7}, {under: /blog/}, {all: true},"
        " {where: {date__gte: 2024-01-31, podcast_audio__isnull: false}}]"
    )
    fields = (
        "{summary: {from: intro}, since: {value: 2024-01-31}, empty: {value: null},"
        " minutes: {call: blog.conversion.minutes}, teaser: drop}"
    )
    text = GOOD.replace("[{slug: show}]", pages)
    text = text.replace("  prefix: new_", f"  ids: kept\n  fields: {fields}")
    conversion = config.read(write(tmp_path, text)).conversion
    assert conversion.kept
    assert [next(iter(selector)) for selector in conversion.pages] == [
        *("slug", "path", "id", "under", "all", "where")
    ]
    # YAML's dates become texts, which JSON can carry to the project's Python and Django reads.
    assert conversion.pages[-1] == {
        "where": {"date__gte": "2024-01-31", "podcast_audio__isnull": False}
    }
    assert conversion.fields == {
        "summary": {"from": "intro"},
        "since": {"value": "2024-01-31"},
        "empty": {"value": None},
        "minutes": {"call": "blog.conversion.minutes"},
        "teaser": "drop",
    }
    json.dumps(config.read(write(tmp_path, text)).identity())


def test_allows_another_app_where_nothing_has_to_be_written(tmp_path: Path) -> None:
    text = GOOD.replace("to: cast.Podcast", "to: other.Podcast")
    text = re.sub(r"  move: .*\n", "", text)
    assert config.read(write(tmp_path, text)).conversion.apps == ("cast", "other")


def test_secrets_come_by_name_from_env_file_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("REMODEL_PRODUCTION_PASSWORD=sesame-of-file\n")
    monkeypatch.setenv("REMODEL_STAGING_PASSWORD", "sesame-of-environment")
    found = config.read(write(tmp_path))
    production, staging = found.targets["production"], found.targets["staging"]
    assert production.address.password is not None
    assert production.address.password.reveal() == "sesame-of-file"
    assert staging.address.password is not None
    assert staging.address.password.reveal() == "sesame-of-environment"
    assert "sesame" not in repr(found)
    assert "sesame" not in redact("the password sesame-of-file was refused")
    assert found.origin["REMODEL_PRODUCTION_PASSWORD"] == ".env"


def test_reads_delivery_in_place_with_a_check(tmp_path: Path) -> None:
    more = "    delivery: in place\n    check: [[manage.py, migrate, --check]]\n    before:"
    production = config.read(write(tmp_path, GOOD.replace("    before:", more))).targets[
        "production"
    ]
    assert production.delivery == "in place"
    assert production.check == (("manage.py", "migrate", "--check"),)


def test_reads_a_target_without_ssh(tmp_path: Path) -> None:
    text = GOOD.replace("    ssh: deploy@staging.example.org\n", "    host: db.example.net\n")
    found = config.read(write(tmp_path, text)).targets["staging"]
    assert (found.ssh, found.where, found.address.sslmode) == ("", "db.example.net", "require")
    text = text.replace("host: db.", "sslmode: verify-full\n    host: db.")
    assert config.read(write(tmp_path, text)).targets["staging"].address.sslmode == "verify-full"
    assert "db.example.net" in str(config.read(write(tmp_path, text)).identity()["targets"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "the key 'ssh' is missing; a database without it needs a `host`"),
        ("    host: db\n    before: [[x]]\n", "before: this needs `ssh`"),
        ("    host: db\n    after: [[x]]\n", "after: this needs `ssh`"),
        ("    host: db\n    check: [[x]]\n", "check: this needs `ssh`"),
        ("    host: db\n    delivery: swap\n", "delivery: the playbook is how it is delivered"),
        ("    host: db\n    ssh_config: x\n", "ssh_config: this needs `ssh`"),
        ("    host: db\n    sslmode: prefer\n", "'prefer' is not one of"),
        ("    host: host=evil\n", "looks like an option or a connection string"),
        ("    host: -h\n", "looks like an option or a connection string"),
        ("    host: one,two\n", "is more than one"),
        ("    ssh: x\n    sslmode: require\n", "sslmode: this key is not known"),
    ],
)
def test_refuses_settings_that_do_not_fit_a_target_without_ssh(
    tmp_path: Path, more: str, words: str
) -> None:
    text = GOOD.replace("    ssh: deploy@staging.example.org\n", more)
    with pytest.raises(ConfigError, match=re.escape(words)):
        config.read(write(tmp_path, text))


@pytest.mark.parametrize(
    "key",
    [
        "database: python_podcast",
        "hostname: staging.example.org",
        "settings: config.settings.local",
    ],
)
@pytest.mark.parametrize("empty", ['""', '" "', "''"])
def test_refuses_an_empty_text_that_is_needed(tmp_path: Path, key: str, empty: str) -> None:
    name = key.partition(":")[0]
    text = GOOD.replace(key, f"{name}: {empty}")
    assert text != GOOD
    with pytest.raises(ConfigError, match=rf"line \d+: [\w.]*{name}: this cannot be empty"):
        config.read(write(tmp_path, text))


def test_reads_excluded_tables_and_the_anonymizer(tmp_path: Path) -> None:
    more = "backup: {exclude_table_data: [django_session], anonymise: [[./manage.py, anonymise]]}\n"
    backup = config.read(write(tmp_path, GOOD + more)).backup
    assert backup.exclude_table_data == ("django_session",)
    assert backup.anonymise == (("./manage.py", "anonymise"),)


def test_never_delivers_anonymized_data_to_its_source(tmp_path: Path) -> None:
    more = "backup: {anonymise: [[./manage.py, anonymise]]}\n"
    found = config.read(write(tmp_path, GOOD + more))
    assert list(found.targets) == ["staging"] and found.backup_source.name == "production"
    assert [target.name for target in found.reached] == ["staging", "production"]
    alone = re.sub(r"  staging:\n(    .*\n)+", "", GOOD)
    with pytest.raises(ConfigError, match="nothing to deliver to"):
        config.read(write(tmp_path, alone + more))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("source: production", "source: prodution", "Did you mean production"),
        ("    ssh: deploy@example.org", "    sssh: deploy@example.org", "'ssh' is missing"),
        ("  prefix: new_", "  prefixx: new_", "Did you mean prefix"),
        ("  prefix: new_", "  prefix: 'new '", "cannot begin a field's name"),
        ("port: 8000", "port: eight", "a port number is needed"),
        ("[[systemctl, stop, podcast]]", "[systemctl, stop]", "each a list of words"),
        ("from: cast.Blog", "from: Blog", "not a label of the form app.Model"),
        ("to: cast.Podcast", "to: other.Podcast", "different apps"),
        ("to: cast.Podcast", "to: cast.Blog", "are both cast.Blog"),
        ("pages: [{slug: show}]", "pages: [{name: show}]", "is not one of"),
        ("pages: [{slug: show}]", "pages: [{id: true}]", "is not one of"),
        ("pages: [{slug: show}]", "pages: [{all: false}]", "is not one of"),
        ("pages: [{slug: show}]", "pages: [{under: blog}]", "is not one of"),
        ("pages: [{slug: show}]", "pages: [{where: {}}]", "is not one of"),
        ("pages: [{slug: show}]", "pages: [{where: {a.b: 1}}]", "is not one of"),
        ("pages: [{slug: show}]", "pages: [{slug: show, id: 4}]", "is not one of"),
        ("  prefix: new_", "  prefix: new_\n  ids: same", "'same' is not one of new, kept"),
        ("  prefix: new_", "  prefix: new_\n  fields: [intro]", "a mapping of fields is needed"),
        ("  prefix: new_", "  prefix: new_\n  fields: {summary: intro}", "is not one of `drop`"),
        ("  prefix: new_", "  prefix: new_\n  fields: {a: {form: b}}", "'form' is not known"),
        ("  prefix: new_", "  prefix: new_\n  fields: {a: {call: minutes}}", "not a dotted path"),
        ("database: python_podcast, site", "database: -X, site", "looks like an option"),
        ("database: python_podcast, site", "password: x, database: y, site", "come by name"),
        ("[[systemctl, start, podcast]]", "[[curl, 'https://a:b@c/']]", "in the clear"),
        ("  staging:", "  ../staging:", "cannot be a target's name"),
        ("package: ../django-cast", "package: ~nobody-of-this-name/x", "leads nowhere"),
        ("  path: .", '  path: "a\\0b"', "control character"),
        ("ssh: deploy@example.org", "ssh: -oProxyCommand=sh", "looks like an option"),
        ("local: {", "local: &a {", "line"),
        ("source: production", "source: production\nsource: staging", "given twice"),
        ("source: production", "source: !!python/object:os.system x", "are not used here"),
        ("source: production", "source: [unclosed", "plain YAML"),
    ],
)
def test_bad_config_names_the_place_and_the_fix(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    if "&a" in new:
        text += "again: *a\n"
    with pytest.raises(ConfigError) as raised:
        config.read(write(tmp_path, text))
    assert words in str(raised.value)
    assert raised.value.exit_code is ExitCode.USAGE


def test_refuses_a_missing_or_huge_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.read(tmp_path / "remodel.yml")
    path = write(tmp_path, GOOD + "# " + "x" * 2_000_000)
    with pytest.raises(ConfigError, match="too large"):
        config.read(path)


def test_refuses_files_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "remodel.yml"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is not a file"):  # and nobody waits for its other end
        config.read(path)
    for other in (tmp_path, Path("/dev/zero")):
        with pytest.raises(ConfigError):
            config.read(other)
    path.unlink()
    path.write_bytes(GOOD.encode() + b"# \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.read(path)
    (tmp_path / ".env").write_bytes(b"A=\xff")
    with pytest.raises(ConfigError, match=r"\.env cannot be read"):
        config.read(write(tmp_path))


def test_finds_remodel_yml_in_a_folder_above(tmp_path: Path) -> None:
    path = write(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert config.find(below) == path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("slug: show", "slug: other"),
        ("  prefix: new_", "  prefix: new_\n  ids: kept"),
        ("  prefix: new_", "  prefix: new_\n  fields: {keywords: drop}"),
    ],
)
def test_identity_tells_conversions_apart(tmp_path: Path, old: str, new: str) -> None:
    before = config.read(write(tmp_path)).identity()
    after = config.read(write(tmp_path, GOOD.replace(old, new))).identity()
    assert before != after
    assert "REMODEL" not in str(before)
