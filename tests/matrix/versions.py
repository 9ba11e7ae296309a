"""The Wagtails that are supported, each with the interpreters that it is tested under."""

from __future__ import annotations

from tests.support.environments import Version

# The spread of interpreters is on purpose: the worker begins at Python 3.9. Django 4.1 and 5.0
# to 6.0 are among the requirements, psycopg2 (4.2) and psycopg 3, treebeard 4 and 5 (8.0).
VERSIONS = (
    Version("4.2", ("3.9", "3.10", "3.11")),
    Version("5.2", ("3.10", "3.11", "3.12", "3.9")),
    Version("6.3", ("3.12", "3.11", "3.10", "3.13")),
    Version("7.0", ("3.13", "3.12", "3.11", "3.10")),
    Version("8.0", ("3.12", "3.13", "3.14", "3.11")),
)
