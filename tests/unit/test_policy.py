"""Which drift stops a delivery, by table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.remodel_yml import GOOD, write
from wizard.base.errors import ConfigError
from wizard.config import config
from wizard.delivery.drift import policy
from wizard.postgres.drift.drift import Change, Drift


def change(table: str, *, logins: bool = False) -> Change:
    return Change(table, 2, 1, 1, 1, 0, {"new": (7,)}, logins=logins, digest="0a1b2c3d")


DRIFT = Drift(
    (
        change("auth_user", logins=True),
        change("blog_visit"),
        change("django_session"),
        change("shop.order"),
        change("wagtailcore_page"),
        change("wagtailforms_formsubmission"),
    )
)


def test_content_drift_blocks_by_default() -> None:
    judged = policy.judge(DRIFT, {})
    assert [each.table for each in judged.block] == [
        "blog_visit",
        "shop.order",
        "wagtailcore_page",
        "wagtailforms_formsubmission",
    ]
    assert [each.table for each in judged.warn] == ["auth_user"]
    assert [each.table for each in judged.ignore] == ["django_session"]
    assert judged.rows == 8
    assert judged.facts()["wagtailcore_page"] == "1 new (7), 1 changed [0a1b2c3d]"


def test_remodel_yml_overrides_the_default(tmp_path: Path) -> None:
    text = 'drift: {auth_user: block, "*_visit": ignore, shop.order: warn, django_session: block}\n'
    found = config.read(write(tmp_path, GOOD + text))
    judged = policy.judge(DRIFT, found.drift)
    assert [each.table for each in judged.block] == [
        "auth_user",
        "django_session",
        "wagtailcore_page",
        "wagtailforms_formsubmission",
    ]
    assert [each.table for each in judged.ignore] == ["blog_visit"]
    # A policy is no part of what a session is about: it may change while one waits at a gate.
    assert "drift" not in found.identity()
    with pytest.raises(ConfigError, match="'never' is not one of block, warn, ignore"):
        config.read(write(tmp_path, GOOD + "drift: {page: never}\n"))
