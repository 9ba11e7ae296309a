"""Random sites, converted: what holds for every one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tests.worker.press import Press

SCRIPT = Path(__file__).with_name("there_and_back.py")


@pytest.mark.slow
async def test_random_sites_there_and_back(press: Press) -> None:
    server = press.superuser
    password = server.password.reveal() if server.password else None
    dsn = make_conninfo(
        host=server.host, port=server.port, user=server.user, password=password, dbname="postgres"
    )
    said = await press.django(str(SCRIPT), press.database.database, dsn)
    assert "every example holds" in said
