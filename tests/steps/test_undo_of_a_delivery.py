"""A delivery is undone only once it was rolled back; the next one can be rolled back whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.remodel_yml import write
from wizard.base.errors import OperationFailed
from wizard.base.events import Events
from wizard.config import config
from wizard.delivery.swap import Swap
from wizard.engine.context import Context
from wizard.session import session as sessions
from wizard.session.plan import Plan


async def test_undo_waits_for_the_rollback_and_takes_all_of_it_back(tmp_path: Path) -> None:
    found = config.read(write(tmp_path))
    swap = Swap(found.targets["production"])
    plan = Plan(operation=swap.key, title=swap.title)
    with sessions.begin(found) as session:
        context = Context(found, session, Events())
        with pytest.raises(OperationFailed, match="has been delivered to") as refused:
            swap.require_undoable(context, {})
        assert refused.value.hint == "remodel rollback --target production"
        for name in ("rollback", "after_rollback"):
            session.journal.write(f"production.{name}:production", "done", {})
        swap.require_undoable(context, {})
        await swap.undo(context, plan, {})
        for name in ("rollback", "after_rollback"):
            assert not context.facts.settled(f"production.{name}:production")
