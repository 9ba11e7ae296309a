"""What is masked where it is shown, and what must come back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.remodel_yml import GOOD, write
from wizard.base.errors import OperationFailed
from wizard.base.redaction import MASK, Secret, redact, sealed
from wizard.config import config
from wizard.session.journal import Journal


def test_masks_any_password_in_a_url() -> None:
    assert redact("cannot reach postgresql://ana:hunter2@db/site") == (
        f"cannot reach postgresql://ana:{MASK}@db/site"
    )
    assert redact("see http://localhost:8000/@team and ana@example.org") == (
        "see http://localhost:8000/@team and ana@example.org"
    )


def test_masks_the_secrets_of_the_projects_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "DATABASE_URL=postgres://ana:planted-dsn-1@db/site\n"
        "DEPLOY_KEY_PASSPHRASE='planted phrase 2'\n"
        "SECRETS_DIR=/srv/site\n"
    )
    config.read(write(tmp_path))
    shown = redact("planted-dsn-1, planted phrase 2, /srv/site/manage.py")
    assert shown == f"{MASK}, {MASK}, /srv/site/manage.py"


def test_masks_no_common_word_in_what_an_undo_needs(tmp_path: Path) -> None:
    """`podcast` as a password is in many a models file, and `blog-2024` may be a database too."""
    models = "class Podcast(Blog):\n    'A podcast of blog-2024.'  # not planted-42\n"
    for value in ("podcast", "blog-2024", "planted-42"):
        Secret(value)
    assert redact(models).count(MASK) == 3
    config.read(write(tmp_path, GOOD.replace("database: python_podcast", "database: blog-2024")))
    journal = Journal(tmp_path / "journal.sqlite")
    journal.write("structure.model", "intent", {})
    with pytest.raises(OperationFailed, match="cannot be written down"):  # rather than masked
        journal.write("structure.model", "kept", {"before": models})
    safe = models.replace("planted-42", "another")
    journal.write("structure.model", "kept", {"before": safe})
    assert journal.kept("structure.model")["before"] == safe
    journal.write("structure.model", "failed", {"message": "podcast was refused"})
    journal.close()
    assert b"planted-42" not in (tmp_path / "journal.sqlite").read_bytes()
    assert sealed(["podcast"]) == ["podcast"]
