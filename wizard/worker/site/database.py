"""The database that the project's pages live in, and who it is.

Identity is the pair of the cluster's system identifier and the database's OID. A physical copy
of a cluster has the same system identifier, a rename keeps the OID.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Callable, TypeVar

from ..protocol import Refusal
from .types import Connection

PINNED = "REMODEL_PINNED_TARGETS"  # JSON: [[system_identifier, oid], ...]

IDENTITY = """
    SELECT (SELECT system_identifier FROM pg_control_system())::text, oid::bigint
      FROM pg_database WHERE datname = current_database()
"""


# What a role or a database may have set otherwise, and would end or refuse a long statement. Not
# through a pooler (its process ids are its own): there it would stay for the other clients.
OWN_SETTINGS = """
    BEGIN ISOLATION LEVEL READ COMMITTED;
    SELECT set_config(name, own.value, false)
      FROM pg_settings JOIN (VALUES
           ('statement_timeout', '0'), ('lock_timeout', '0'), ('transaction_timeout', '0'),
           ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),
           ('default_transaction_isolation', 'read committed'),
           ('default_transaction_read_only', 'off'), ('default_transaction_deferrable', 'off')
         ) AS own (name, value) USING (name)
     WHERE pg_backend_pid() = {pid};
    COMMIT
"""


Asked = TypeVar("Asked", bound=Callable[..., Any])
_answers: list[Callable[[], None]] = []


def once_an_operation(function: Asked) -> Asked:
    """Ask the models and the catalog once: neither changes while an operation is under way."""
    answered = lru_cache(maxsize=None)(function)
    _answers.append(answered.cache_clear)
    return answered  # type: ignore[return-value]


def forget() -> None:
    """Forget what the models and the catalog answered, before another operation."""
    for clear in _answers:
        clear()


def page_connection() -> Connection:
    """Return the connection that pages are written through."""
    from django.db import connections, router

    from .models import base_page

    return connections[router.db_for_write(base_page()) or "default"]


_looking: list[str] = []  # the target that is only looked at


def looking() -> bool:
    """Return whether the database is a target that is only looked at."""
    return bool(_looking)


def look_at(target: dict[str, Any]) -> None:
    """Have the pages' connection lead to a target, given in Django's names and its `sslmode`."""
    connection = page_connection()
    connection.close()
    options = connection.settings_dict.setdefault("OPTIONS", {})
    for name in ("sslmode", "service", "passfile", "pool"):
        options.pop(name, None)
    sslmode = target.pop("sslmode")
    options.update({"sslmode": sslmode} if sslmode else {})
    connection.settings_dict.update(target)  # shared by the connections of every thread
    _looking.append(str(target["NAME"]))


@contextmanager
def read_only() -> Iterator[None]:
    """Do what is inside in a transaction in which nothing can be written."""
    from django.db import transaction

    connection = page_connection()
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        yield


def require_postgresql(connection: Connection) -> None:
    """Raise Refusal `unsupported` for a database that conversions cannot run on."""
    if connection.vendor != "postgresql":
        raise Refusal(
            "unsupported",
            "Pages can be converted in PostgreSQL only.",
            found=f"The project's database is {connection.vendor}.",
        )


def keep_own_settings(sender: object, connection: Connection, **_: object) -> None:
    """Give a new connection our own settings, whatever its role and its database have."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(OWN_SETTINGS.format(pid=int(connection.connection.info.backend_pid)))


def refuse_pinned(sender: object, connection: Connection, **_: object) -> None:
    """Close a new connection, and raise Refusal, when its database is a delivery target."""
    from django.db import DatabaseError

    pinned = {(str(known[0]), int(known[1])) for known in json.loads(os.environ.get(PINNED, "[]"))}
    if connection.vendor != "postgresql" or not pinned:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(IDENTITY)
            system, oid = cursor.fetchone()
    except DatabaseError as error:
        connection.close()
        raise Refusal(
            "pinned",
            "The identity of the project's database cannot be read, so it may be a target's.",
            found=str(error),
            hint="Let its role execute pg_control_system().",
        ) from None
    if (system, oid) in pinned:
        name = connection.settings_dict["NAME"]
        connection.close()
        raise Refusal(
            "pinned",
            f"The project's settings point to the database {name}, which is a delivery target.",
            found=f"system identifier {system}, OID {oid}",
            hint="Use settings of the local copy: the worker writes to no target.",
        )


def hello_database() -> dict[str, Any]:
    """Return the database's address and identity; `error` says why it could not be reached."""
    from django.db import DatabaseError

    connection = page_connection()
    given = connection.settings_dict
    database: dict[str, Any] = {
        "vendor": connection.vendor,
        "engine": given["ENGINE"],
        "name": str(given["NAME"]),
        "host": given.get("HOST") or "",
        "port": str(given.get("PORT") or ""),
        "user": given.get("USER") or "",
        "system_identifier": None,
        "oid": None,
        "server_version": None,
        "error": None,
    }
    if connection.vendor != "postgresql":
        return database
    try:
        with connection.cursor() as cursor:
            cursor.execute(IDENTITY)
            database["system_identifier"], database["oid"] = cursor.fetchone()
            cursor.execute("SELECT current_user, current_setting('server_version')")
            database["user"], database["server_version"] = cursor.fetchone()
    except DatabaseError as error:
        database["error"] = str(error).strip()
    finally:
        connection.close()
    return database
