"""What is written to production between the backup and the delivery is never lost unseen."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.support import sql_check
from tests.support.consenting_operator import Consenting
from tests.support.delivery import dumped, execute, titles
from tests.support.postgres import ended
from tests.support.remodel_yml import GOOD, write
from tests.support.sandbox import Demo
from wizard.base.errors import Declined, PlanStale, RemodelError, StartOver
from wizard.commands import runner
from wizard.config import config
from wizard.delivery.base import Delivery
from wizard.delivery.drift.lost_rows import LostRows
from wizard.delivery.drift.since_backup import FETCH_AGAIN, DriftGuard
from wizard.delivery.results import Delivered
from wizard.delivery.swap import Swap
from wizard.engine.context import Context
from wizard.engine.engine import Engine
from wizard.engine.operation import Step
from wizard.engine.operators import Plain, Verdict
from wizard.engine.results import Fetched
from wizard.postgres.address import Address, connect
from wizard.postgres.admin import swap
from wizard.postgres.drift import baseline
from wizard.postgres.drift.baseline import DriftBaseline
from wizard.postgres.dumps import restore
from wizard.reports.output import Output
from wizard.session import session as sessions
from wizard.session.plan import Plan

DELIVER = "production.deliver:production"
PAGE = "(SELECT max(id) FROM wagtailcore_page)"

# What Wagtail's editor does: a log-in, the page, the log; and what a program saves, without a log.
EDIT = f"""
    WITH editor AS (
        UPDATE auth_user SET last_login = now() WHERE username = 'ana' RETURNING id
    ), page AS (
        UPDATE wagtailcore_page SET title = 'About boats' WHERE id = {PAGE}
        RETURNING id, content_type_id
    )
    INSERT INTO wagtailcore_pagelogentry (label, action, data, timestamp, uuid, content_changed,
                                          deleted, content_type_id, user_id, page_id)
    SELECT 'About boats', 'wagtail.edit', '{{}}', now(), gen_random_uuid(), true, false,
           content_type_id, editor.id, page.id FROM page, editor;
    INSERT INTO wagtailcore_revision (content_type_id, base_content_type_id, object_id, object_str,
                                      created_at, user_id, content)
    SELECT content_type_id, base_content_type_id, object_id, 'About nets', now(),
           (SELECT id FROM auth_user WHERE username = 'ana'), content
    FROM wagtailcore_revision ORDER BY id DESC LIMIT 1
"""
# On the target, between the consent and the renames; a second time it finds nothing to do.
LATE = f"""
    UPDATE wagtailcore_page SET title = 'Late' WHERE id = {PAGE} AND title <> 'Late'
"""


class Editing(Consenting):
    """At the first gate somebody edits production. The loss is accepted; then it is not."""

    def __init__(self, demo: Demo) -> None:
        super().__init__()
        self.demo = demo
        self.seen: list[Plan] = []
        self.failures: list[RemodelError] = []
        self.before: sql_check.Before | None = None

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        await super().consent(plan, changed)
        if plan.operation == "backup.restore":
            with self.demo.connect("production") as connection:
                connection.execute(EDIT.encode())
        if plan.operation == DELIVER:
            self.seen.append(plan)
            if len(self.seen) == 2:
                with self.demo.connect("production") as connection:
                    self.before = sql_check.look(connection)
                assert plan.gate is not None
                assert plan.gate.again is not None
                raise StartOver(plan.operation, *plan.gate.again)

    async def failed(self, error: RemodelError, operation: str) -> Verdict:
        self.failures.append(error)
        return "retry" if len(self.failures) == 1 else "stop"


async def test_drift_after_an_accepted_drift_is_fetched_again(demo: Demo) -> None:
    """Staging was delivered to by then, and stays as it is."""
    data = yaml.safe_load((demo.root / "remodel.yml").read_text())
    data["targets"]["production"]["before"].append(["psql", "-d", "harbour", "-c", LATE])
    path = demo.root / "writing.yml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    found, operator = config.read(path), Editing(demo)
    with sessions.begin(found) as session:
        await runner.headless(found, session, operator, Output())
        first = session.journal
        assert [entry.kind for entry in first.entries(DELIVER)][-2:] == ["intent", "done"]
    accepted, again, clear = operator.seen

    # What would be lost is told, by table, by row and by person.
    assert accepted.gate is not None
    assert accepted.gate.phrase == "production loses 3 rows"
    assert any("Ana Moreira edited 'About boats' at " in line for line in accepted.does)
    assert any("Ana Moreira saved a revision of 'About nets'" in line for line in accepted.does)
    assert "NOTE: lost, and not waited for: auth_user: 1 changed" in accepted.does
    lost = [str(loss) for loss in accepted.destroys]
    assert any("wagtailcore_page: 1 changed (" in line for line in lost)
    assert any("wagtailcore_pagelogentry: 1 new (" in line for line in lost)

    # Consent was to that loss and no other.
    (refused,) = operator.failures
    assert "was written to after its plan was consented to" in refused.message
    assert "wagtailcore_page" in refused.found
    assert again.facts["drift"] != accepted.facts["drift"]
    assert again.facts["drift"].keys() == accepted.facts["drift"].keys()

    # The backup was fetched again; nobody was asked twice but at the gate that was not passed.
    assert clear.gate is not None
    assert clear.gate.phrase == "production"
    assert "drift" not in clear.facts
    asked = operator.consented
    assert {key: asked.count(key) for key in asked if asked.count(key) > 1} == {DELIVER: 3}
    assert operator.before is not None
    with demo.connect("production") as connection:
        sql_check.judge(connection, operator.before, "harbour.example")
        row = connection.execute("SELECT 1 FROM wagtailcore_page WHERE title = 'Late'").fetchone()
        assert row == (1,)
    with demo.connect("production", "harbour_staging") as connection:
        row = connection.execute("SELECT 1 FROM wagtailcore_page WHERE title = 'Late'").fetchone()
        assert row is None


class Typing(Plain):
    """A person at line prompts who types these lines at the gates, and Enter elsewhere."""

    def __init__(self, *lines: str) -> None:
        self.shown: list[str] = []
        typed = iter(lines)
        super().__init__(lambda asked: next(typed) if asked.startswith("Type ") else "", self.show)

    def show(self, text: str) -> None:
        self.shown += text.splitlines()


async def deliver(context: Context, operation: Delivery, operator: Typing) -> None:
    step = Step("production", "Production", "", "", "", lambda _: [operation])
    await Engine(context, [step], operator).go()


@pytest.mark.slow
async def test_delivered_after_the_loss_was_accepted_in_words(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    async with dumped(tmp_path, database, far_database, backed_up=True) as (run, target):
        await execute(far_database, "UPDATE wagtailcore_page SET title = 'lost' WHERE id = 7")
        operator = Typing("staging")
        with pytest.raises(Declined, match="Stopped at the gate") as refused:
            await deliver(run, Swap(target), operator)
        assert "'staging loses 1 row' is the name" in refused.value.found
        lost = "wagtailcore_page: 1 changed (7)"
        assert f"  destroys: written since the backup: {lost}" in operator.shown
        assert await titles(far_database) == {"old", "lost"}

        await deliver(run, Swap(target), Typing("staging loses 1 row"))
        assert await titles(far_database) == {"new"}
        told = {
            event["value"]
            for _, event in run.session.journal.events()
            if event.get("name") == "only in the old database: wagtailcore_page"
        }
        assert told == {"1 changed (7)"}
        kept = far_database.at(run.facts.of(Delivered, "staging").kept)
        await swap.reopen(kept)
        assert await titles(kept) == {"old", "lost"}
        await restore.drop(far_database, kept.database, force=True)


@pytest.mark.slow
async def test_a_replaced_database_needs_consent_to_losing_changes(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    """What was written to it cannot be told, then: more may be lost than where it can."""
    async with dumped(tmp_path, database, far_database, backed_up=True) as (run, target):
        fetched = run.facts.of(Fetched).to_json()
        fetched["baseline"]["oid"] += 1
        run.session.journal.write("backup.fetch", "done", fetched)
        plan = await Swap(target).plan(run)
    assert plan.gate is not None
    assert plan.gate.phrase == "staging loses changes"
    assert plan.gate.again == FETCH_AGAIN
    assert "is not the one that the backup was taken from" in "\n".join(plan.does)


async def test_the_guard_lets_only_accepted_drift_pass(database: Address, tmp_path: Path) -> None:
    found = config.read(write(tmp_path, GOOD + "drift: {hit: warn}\n"))
    target = found.targets["production"]
    async with await connect(database) as guard:
        await guard.execute("CREATE TABLE page (id int PRIMARY KEY); CREATE TABLE hit (n int)")
        async with baseline.held(database) as held:
            since = DriftBaseline.from_dict(held.as_dict())
        await guard.execute("INSERT INTO page VALUES (1); INSERT INTO hit VALUES (1)")
        lost = LostRows(tmp_path / "lost", since)
        refusing = DriftGuard(target, since, found.drift, {}, lost)
        with pytest.raises(PlanStale, match="was written to after") as refused:
            await refusing(guard)
        assert refused.value.exit_code == 5
        assert refused.value.found == f"page: {refusing.judged.facts()['page']}"
        assert not lost.folder.exists()
        accepting = DriftGuard(target, since, found.drift, refusing.judged.facts(), lost)
        await accepting(guard)
        assert (lost.folder / "hit.csv").read_text() == "n\n1\n"
        await write_and_leave(database, "INSERT INTO hit VALUES (2)", guard.info.backend_pid)
        await accepting(guard)
        assert [change.what for change in accepting.judged.warn] == ["2 new"]
        assert sorted((lost.folder / "hit.csv").read_text().split()) == ["1", "2", "n"]
        assert (lost.folder / "hit.csv").stat().st_mode & 0o777 == 0o600
        await write_and_leave(database, "UPDATE page SET id = 2", guard.info.backend_pid)
        with pytest.raises(PlanStale, match="was written to after"):
            await accepting(guard)


async def write_and_leave(address: Address, statement: str, guard: int) -> None:
    """By a session that then ends, as all others have when a delivery looks again."""
    await execute(address, statement)
    await ended(address, guard)


FORMS = """
    CREATE TABLE wagtailforms_formsubmission (id serial PRIMARY KEY, form_data jsonb);
    INSERT INTO wagtailforms_formsubmission (form_data) VALUES ('{"name": "Ana"}')
"""
SUBMIT = """
    INSERT INTO wagtailforms_formsubmission (form_data)
    VALUES (jsonb_build_object('name', 'Bé, "b"'))
"""


class Submitting(Typing):
    """While this person stands at the gate, a visitor sends a form."""

    def __init__(self, address: Address, *lines: str) -> None:
        super().__init__(*lines)
        self.address = address

    async def consent(self, plan: Plan, changed: Sequence[str]) -> None:
        await super().consent(plan, changed)
        await execute(self.address, SUBMIT)


@pytest.mark.slow
async def test_a_form_that_was_sent_at_the_gate_stops_the_delivery(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    await execute(far_database, FORMS)
    async with dumped(tmp_path, database, far_database, backed_up=True) as (run, target):
        operator = Submitting(far_database, "staging", "")
        with pytest.raises(Declined):  # the gate again, with what is lost by now
            await deliver(run, Swap(target), operator)
    assert "  destroys: written since the backup: wagtailforms_formsubmission: 1 new (2)" in (
        operator.shown
    )
    assert await titles(far_database) == {"old"}


@pytest.mark.slow
async def test_what_a_policy_lets_go_is_kept_as_a_file(
    database: Address, far_database: Address, tmp_path: Path
) -> None:
    await execute(far_database, FORMS)
    policies = {"wagtailforms_formsubmission": "warn"}
    async with dumped(tmp_path, database, far_database, backed_up=True, drift=policies) as made:
        run, target = made
        operator = Submitting(far_database, "staging")
        await deliver(run, Swap(target), operator)
        path = run.session.folder / "lost.staging" / "wagtailforms_formsubmission.csv"
        told = {
            event["value"]
            for _, event in run.session.journal.events()
            if event.get("name") == "only in the old database: wagtailforms_formsubmission"
        }
        kept = run.facts.of(Delivered, "staging").kept
        await restore.drop(far_database, kept, force=True)
    assert any("is written until then to wagtailforms_formsubmission" in x for x in operator.shown)
    assert told == {f"1 new (2); these rows are in {path}"}
    with path.open(newline="") as file:
        ((number, form),) = list(csv.reader(file))[1:]
    assert (number, json.loads(form)) == ("2", {"name": 'Bé, "b"'})
