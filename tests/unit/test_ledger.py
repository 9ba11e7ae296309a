"""The ledger as it is read, balanced, kept and reported."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from wizard.base.errors import OperationFailed
from wizard.base.redaction import Secret
from wizard.reports import report
from wizard.session import ledger
from wizard.session.journal import Journal
from wizard.session.ledger import Ledger

ENTRIES: list[dict[str, Any]] = [
    {
        "name": "wagtailcore_comment.page_id",
        "kind": "foreign key",
        "before": 3,
        "followed": 2,
        "dropped": 1,
        "rows": [[7, 4, "followed"], [8, 4, "followed"], [9, 4, "dropped"]],
    },
    {"name": "cast_post.body", "kind": "link", "before": 1204, "rewritten": 1204, "kept": 0},
]


def test_reads_back_what_it_wrote(tmp_path: Path) -> None:
    account = Ledger.of(ENTRIES)
    assert account.entries[0].rows == (
        *(("7", "4", "followed"), ("8", "4", "followed"), ("9", "4", "dropped")),
    )
    ledger.write(tmp_path, account)
    assert (tmp_path / ledger.REFERENCES.file).stat().st_mode & 0o777 == 0o600
    assert ledger.read(tmp_path) == account
    assert [path.name for path in tmp_path.iterdir()] == [ledger.REFERENCES.file]


def test_refuses_a_damaged_ledger_and_reads_none_as_none(tmp_path: Path) -> None:
    assert ledger.read(tmp_path) is None
    (tmp_path / ledger.REFERENCES.file).write_text('[{"name": "a"}]')
    with pytest.raises(OperationFailed, match="cannot be read"):
        ledger.read(tmp_path)


def test_sums_the_ledger_and_names_unbalanced_entries() -> None:
    account = Ledger.of(ENTRIES)
    assert account.unbalanced == []
    assert ledger.summed(account.totals) == (
        "1,207 rows and values: 2 followed, 1,204 rewritten, 1 dropped"
    )
    lost = Ledger.of([*ENTRIES, {"name": "a.b", "kind": "link", "before": 2, "kept": 1}])
    assert [entry.name for entry in lost.unbalanced] == ["a.b"]


def test_the_table_has_a_column_for_each_account() -> None:
    headings, first, second = (
        line.split("\t") for line in ledger.table(Ledger.of(ENTRIES)).splitlines()
    )
    assert headings == [
        *("where", "kind", "before", "kept", "followed", "rewritten", "rebuilt", "dropped")
    ]
    assert first[2:] == ["3", "-", "2", "-", "-", "1"]
    assert second[2:] == ["1,204", "-", "-", "1,204", "-", "-"]


class Page(HTMLParser):
    """Tags and text of a page; a tag that is not closed is a fault."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.fixture
def reported(tmp_path: Path) -> tuple[str, str]:
    """The report of a session that has come to its end, as Markdown and as HTML."""
    Secret("sesame-of-production")
    folder = tmp_path / "20261122-150405"
    folder.mkdir()
    (folder / "urls-before.json").write_text(
        '[{"page_id": 4, "url": "/show/", "title": "bad [/admin] <b>|*\\u0027"}]'
    )
    ledger.write(folder, Ledger.of(ENTRIES))
    journal = Journal(folder / "journal.sqlite")
    identity = {
        "project": "/srv/site",
        "local": "harbour",
        "conversion": {"from": "cast.Blog", "to": "cast.Podcast", "ids": "new"},
        "targets": {"production": "swap to harbour on deploy@example.org"},
    }
    journal.note("identity", identity)
    journal.note("finished", True)
    rows = [["new_keywords", "moved", "keywords", "CharField(255)", ""]]
    destroys = [["cast.Blog.teaser", 1204]]
    plan = {"details": {"field_map": rows}, "destroys": destroys}
    journal.write("copy.convert", "intent", plan)
    left = [{"name": "blog.Note.text", "count": 2, "why": "might be the page's id"}]
    done = {
        "map": {"4": 91},
        "left": left,
        "seconds": {"copy": 0.25},
        "message": "sesame-of-production",
    }
    journal.write("copy.convert", "done", done)
    journal.write("slugs.urls", "done", {"message": "31 URLs as before"})
    finding = {"kind": "finding", "operation": "slugs.urls", "name": "URLs", "status": "ok"}
    journal.event({**finding, "value": "12 compared"})
    journal.event({**finding, "value": "31 compared, each leads to what it led to"})
    journal.write("production.deliver:production", "intent", {"facts": {"delivery": "swap"}})
    journal.write("production.deliver:production", "done", {"kept": "harbour_old"})
    paths = report.write_into(folder, journal)
    journal.close()
    assert [path.name for path in paths] == ["report.md", "report.html"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths)
    markdown, page = (path.read_text() for path in paths)
    return markdown, page


SAID = (
    "From cast.Blog to cast.Podcast, as new pages, with new ids",
    "new_keywords",
    "cast.Blog.teaser",
    "1,207 rows and values: 2 followed, 1,204 rewritten, 1 dropped. It balances.",
    "wagtailcore_comment.page_id",
    "Rows that were dropped",
    "blog.Note.text",
    "31 compared, each leads to what it led to",
    "harbour_old",
    "remodel rollback --target production",
)


def test_the_report_has_everything_and_no_secret(reported: tuple[str, str]) -> None:
    page = Page()
    page.feed(reported[1])
    assert page.open == []
    for words in SAID:
        assert words in reported[0]
        assert words in page.said
    for text in reported:
        assert "sesame" not in text
        assert "12 compared" not in text  # an earlier attempt's word


def test_the_report_escapes_markup(reported: tuple[str, str]) -> None:
    markdown, text = reported
    page = Page()
    page.feed(text)
    assert not page.seen & {"b", "script", "link", "img", "a"}
    assert "bad [/admin] <b>|*'" in page.said
    assert r"bad \[/admin\] \<b\>\|\*'" in markdown
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(counts) == 1, table
