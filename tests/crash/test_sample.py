"""One walk through the demo that is cut off in every kind of operation.

Each process is killed at another place of another operation, so each resume also begins where a
resume was killed. What must come of it is judged by SQL that shares no code with the product.
"""

from __future__ import annotations

import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest
import yaml

from tests.crash.commands import Commands, Ended
from tests.crash.crash_points import LOCAL
from tests.crash.crashing_process import ACT, Order
from tests.support import sql_check
from tests.support.sandbox import Demo

CUTS = (
    Order("project.preflight", ACT, detail="ask describe"),
    Order("project.trial", ACT, detail="ask look"),
    Order("backup.fetch", ACT, detail="file os.rename"),
    Order("backup.restore", ACT, detail="sql end of transaction: done"),
    Order("backup.sequences", "before skipped"),
    Order("backup.site", ACT, detail="ask place_site"),
    Order("backup.urls", "before done"),
    Order("structure.model", ACT, detail="file os.rename"),
    Order("structure.install", ACT, detail="child", delay=0.3),
    Order("structure.check", ACT, how="children", detail="child"),
    Order("structure.migration", "before done"),
    Order("structure.migrate", ACT, detail="ask migrate: done"),
    Order("copy.convert", ACT, detail="ask convert", delay=0.05),
    Order("copy.delete", ACT, detail="ask delete_originals: done"),
    Order("slugs.pages", "after kept"),
    Order("slugs.fields", "before done"),
    Order("slugs.migrations", ACT, 2, detail="file os.rename"),
    Order("slugs.migrate", ACT, 3, detail="event line"),
    Order("slugs.urls", ACT, how="children", detail="ask urls", delay=0.01),
    Order("production.site:production", ACT, detail="ask place_site: done"),
    Order("production.dump:production", ACT, 20, detail="event line"),
    Order("production.drill:production", ACT, 100, detail="event line"),
    Order("production.deliver:production", ACT, detail="ALLOW_CONNECTIONS false: done"),
    Order("production.after:production", "before done"),
    Order("production.check:production", "after intent"),
)
ALIKE = {
    "project.trust:staging",  # the sandbox's own host key is known beforehand
    *("structure.install_migration", "slugs.install", "slugs.install_migrations", "slugs.check"),
}
"""Operations of a class that is cut off elsewhere; `make crash` has them as well."""
ALLOW = ("--allow", "production")
RESUME = ("resume", "--answers", "production.yml", *ALLOW)


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    started = Commands()
    yield started
    started.close()


@pytest.fixture
def answers(demo: Demo) -> Demo:
    """The recorded answers, with production as the only target."""
    given = yaml.safe_load((demo.root / "answers.yml").read_text())
    given["answers"]["production.targets"] = ["production"]
    del given["consents"]["production.deliver:staging"]
    (demo.root / "production.yml").write_text(yaml.safe_dump(given, sort_keys=False))
    return demo


@pytest.mark.slow  # two dozen processes one after the other, more than half a minute
def test_resumes_after_a_cut_in_every_kind_of_operation(answers: Demo, commands: Commands) -> None:
    demo = answers
    assert {cut.operation for cut in CUTS} >= set(LOCAL) - ALIKE
    with demo.connect("production") as connection:
        before = sql_check.look(connection)

    ended = commands.run(demo.root, "replay", "production.yml", *ALLOW, orders=CUTS[:1])
    for cut in CUTS[1:]:
        _was_cut_off(ended)
        ended = commands.run(demo.root, *RESUME, orders=[cut])
        assert "resumed: Session" in ended.said, ended.said
    _was_cut_off(ended)
    ended = commands.run(demo.root, *RESUME)
    assert ended.code == 0, ended.said

    with demo.connect("production") as connection:
        sql_check.judge(connection, before, "harbour.example")
    session = next((demo.root / ".remodel" / "sessions").iterdir())
    stamp = session.name.replace("-", "_")
    assert {name for name in demo.databases("production") if "__" in name} == {
        f"harbour__{stamp}_old"
    }
    checkpoints = ("structure_migrate", "copy_convert", "copy_delete", "slugs_pages")
    assert {name for name in demo.databases("local") if "__" in name} == {
        f"harbour__{stamp}_{label}" for label in (*checkpoints, "slugs_migrate", "before")
    }
    with closing(sqlite3.connect(session / "journal.sqlite")) as journal:
        rows = journal.execute("SELECT operation FROM entry WHERE kind = 'done'").fetchall()
    assert set(Counter(rows).values()) == {1}  # an outcome that was written down is not had again


def _was_cut_off(ended: Ended) -> None:
    """Killed; or, when only its child was, ended with an error of a line and a hint."""
    assert ended.code in (-signal.SIGKILL, 1, 3), ended.said
    assert "fault in remodel" not in ended.said
