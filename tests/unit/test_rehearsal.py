"""What has changed since a session was recorded, told from its journal and its consents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.remodel_yml import write
from wizard.base.errors import OperationFailed, UsageError
from wizard.base.events import Events, Finding
from wizard.config import config
from wizard.config.config import Config
from wizard.engine.context import Context
from wizard.session import answers
from wizard.session import session as sessions
from wizard.session.plan import Gate, Plan
from wizard.session.session import Session
from wizard.steps.sources import written_by
from wizard.upkeep import rehearsal
from wizard.upkeep.rehearsal import RehearsalAccount
from wizard.upkeep.source_stash import SetAside

CONVERT = Plan("copy.convert", "Convert", facts={"pages": ["/show/"]}, gate=Gate("Podcast"))
MIGRATE = Plan("structure.migrate", "Migrate", facts={"migrations": ["cast.0002"]})
INSTALL = Plan("structure.install", "Install", skip="an editable install")


@pytest.fixture
def found(tmp_path: Path) -> Config:
    return config.read(write(tmp_path))


@pytest.fixture
def session(found: Config) -> Iterator[Session]:
    with sessions.begin(found) as begun:
        begun.consent(CONVERT)
        for plan in (CONVERT, MIGRATE):
            begun.journal.write(plan.operation, "intent", plan.as_dict())
            begun.journal.write(plan.operation, "done", {})
        begun.journal.write(INSTALL.operation, "skipped", {"why": INSTALL.skip})
        yield begun


def compared(found: Config, *plans: Plan) -> RehearsalAccount:
    account = RehearsalAccount()
    with rehearsal.recorded(found, "", None) as of:
        rehearsal._compare(of, {plan.operation: plan for plan in plans}, account)
    return account


def test_the_same_plans_are_no_change(found: Config, session: Session) -> None:
    counted = replace(CONVERT, does=("convert 7 pages",), details={"rows": 7})
    account = compared(found, counted, MIGRATE, INSTALL)
    assert account == RehearsalAccount()
    assert "nothing has changed" in "\n".join(account.lines(session.id))


def test_reports_each_difference_in_words(found: Config, session: Session) -> None:
    account = compared(
        found,
        replace(CONVERT, facts={"pages": ["/show/", "/other/"]}),
        replace(MIGRATE, facts={"migrations": ["cast.0002", "cast.0003"]}),
        replace(INSTALL, skip=""),
        Plan("production.deliver:production", "Replace it", gate=Gate("production", "production")),
    )
    assert account.stale == [
        "copy.convert: facts.pages: was ['/show/'], is now ['/show/', '/other/']"
    ]
    assert account.open == ["production.deliver:production: Replace it"]
    assert [line.partition(":")[0] for line in account.changed] == [
        "structure.migrate",
        "structure.install",
    ]
    told = "\n".join(account.lines(session.id))
    assert "a replay would stop here" in told
    assert "cast.0003" in told


def test_a_warning_is_new_only_once(found: Config, session: Session) -> None:
    known = Finding("copy.convert", name="left as it is", value="3 rows", status="warn")
    session.journal.event(known.as_dict())
    session.journal.events()  # which writes them
    fresh = replace(known, name="a lock")
    grown = replace(known, value="5 rows")
    assert rehearsal._warnings(session.journal, [grown, fresh]) == ["copy.convert: a lock: 3 rows"]


def test_takes_recorded_consents_or_a_file_of_answers(
    found: Config, session: Session, tmp_path: Path
) -> None:
    with rehearsal.recorded(found, session.id, None) as of:
        assert (of.session, of.differs) == (session.id, ())
        assert of.answers.consents.keys() == {"copy.convert"}
    path = tmp_path / "given.yml"
    answers.write(path, answers.Answers(answers={"copy.fields": {}}), {}, {})
    with rehearsal.recorded(found, "", path) as of:
        assert (of.session, of.journal, of.answers.answers) == ("", None, {"copy.fields": {}})
    with (
        pytest.raises(UsageError, match="no session nosuch"),
        rehearsal.recorded(found, "nosuch", None),
    ):
        pass


async def test_source_files_are_put_aside_only_as_the_session_left_them(
    found: Config, session: Session, tmp_path: Path
) -> None:
    models, migration = tmp_path / "models.py", tmp_path / "0002_podcast.py"
    plan = Plan("structure.model", "", details={"path": str(models), "after": "both"})
    session.journal.write(plan.operation, "intent", plan.as_dict())
    session.journal.write(plan.operation, "kept", {"before": "old"})
    plan = Plan("structure.migration", "", details={"files": {str(migration): "create"}})
    session.journal.write(plan.operation, "intent", plan.as_dict())
    assert written_by(session.journal) == {
        models: ("old", ["old", "both"]),
        migration: (None, ["create"]),
    }
    operation, run = SetAside(session.journal), Context(found, session, Events())
    models.write_text("old")
    assert (await operation.plan(run)).skip
    models.write_text("both")
    migration.write_text("create")
    planned = await operation.plan(run)
    assert planned.details["files"] == {
        str(models): ["old", "both"],
        str(migration): [None, "create"],
    }
    models.write_text("edited by hand")
    with pytest.raises(OperationFailed, match="was edited since the session wrote it"):
        await operation.plan(run)
    with pytest.raises(OperationFailed, match="was edited during the rehearsal"):
        await operation.undo(run, planned, {})
    assert models.read_text() == "edited by hand"


def test_no_session_begins_or_goes_on_while_a_rehearsal_has_the_local_database(
    found: Config,
) -> None:
    with sessions.begin(found) as session:
        pass
    with rehearsal._begin(found) as rehearsing:
        assert rehearsing.id.endswith("-rehearsal")
    with pytest.raises(OperationFailed, match="has the local database"):
        sessions.begin(found)
    with pytest.raises(OperationFailed, match="has the local database"):
        sessions.resume(found, session.id)
    assert [one.id for one in sessions.summaries(found)] == [session.id]
