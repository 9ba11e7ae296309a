"""What is masked where it is shown, and what must come back as it was."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import pytest

from tests.support.remodel_yml import GOOD, write
from wizard.base import redaction
from wizard.base.errors import OperationFailed
from wizard.base.redaction import MASK, Secret, printable, redact, register, sealed, shown
from wizard.config import config
from wizard.session.journal import Journal


@pytest.fixture(autouse=True)
def secrets_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain word that is a secret here would be masked in other tests, too."""
    monkeypatch.setattr(redaction, "_known", dict(redaction._known))
    monkeypatch.setattr(redaction, "_public", set(redaction._public))


def test_masks_any_password_in_a_url() -> None:
    assert redact("cannot reach postgresql://ana:hunter2@db/site") == (
        f"cannot reach postgresql://ana:{MASK}@db/site"
    )
    assert redact("see http://localhost:8000/@team and ana@example.org") == (
        "see http://localhost:8000/@team and ana@example.org"
    )


@pytest.mark.parametrize(
    "secret",
    [
        "plain-planted-1",
        'it\'s "planted" \\ here',
        "pl@nted/with:all?of&it=#1%41",
        "plänted ünd ½",
        "tab\tand\nline planted",
    ],
)
def test_masks_a_secret_in_every_spelling(secret: str) -> None:
    Secret(secret)
    data = secret.encode()
    for text in (
        *(secret, repr(secret), ascii(secret), json.dumps(secret), repr({"a": [secret, '"']})),
        *(repr([secret, "'"]), repr("'" + secret), repr('"' + secret), json.dumps([repr(secret)])),
        *(repr(json.dumps({"a": secret})), repr(data), repr(b"'" + data), data.hex()),
        *(quote(secret), quote(secret, safe=""), quote_plus(secret), unquote(secret)),
        *(quote(secret, safe="").lower(), html.escape(secret), f"a\x1b[1m{secret}"),
        *(base64.b64encode(b"x" * n + data + b"y" * (3 - n)).decode() for n in range(4)),
        base64.urlsafe_b64encode(b"user:" + data).decode(),
    ):
        left = shown(text)
        assert MASK in left, text
        assert "nted" not in left and "here" not in left and "of" not in left, left


def test_masks_a_private_key_line_by_line() -> None:
    lines = [f"MIIEplanted{number}/AbCd+Ef" for number in range(4)]
    pem = "\n".join(("-----BEGIN RSA PRIVATE KEY-----", *lines, "-----END RSA PRIVATE KEY-----"))
    assert "planted" not in redact(f"one that nobody registered:\n{pem}\nand more")
    register({"DEPLOY_KEY": pem, "OTHER_PRIVATE_KEY": pem.replace("planted", "PLANTED", 9)})
    register({"IN_ONE_LINE_KEY": pem.replace("planted", "seeded").replace("\n", "\\n")})
    for text in (lines[2], f"'{lines[1]}'", quote(lines[0], safe=""), lines[3].replace("pl", "PL")):
        assert "lanted" not in redact(text)
    assert "eeded" not in redact(lines[2].replace("planted", "seeded"))


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DATABASE_URL", "postgres://ana:pl@nt/ed:1@db:5432/site", "pl@nt/ed:1"),
        ("DATABASE_URL", "postgres://ana:pl%40nt%2Fed@db/site", "pl@nt/ed"),
        ("CACHE_URL", "redis://:planted-redis@cache/0?x=a@b", "planted-redis"),
        ("DATABASE_URL", "postgres://db/site?user=a&password=planted-query", "planted-query"),
        ("PG_DSN", "host=db password='plan ted\\'s' dbname=x", "plan ted's"),
        ("PG_CONNECTION", "host=db password=planted-libpq dbname=x", "planted-libpq"),
        ("SENTRY_DSN", "https://plantedplantedplanted@sentry.example/7", "plantedplantedplanted"),
        ("DATABASES", '{"default": {"PASSWORD": "plan\\"ted"}}', 'plan"ted'),
        *(
            (name, "planted by name", "planted by name")
            for name in (
                "PRIVATE_KEY",
                "SIGNING_KEY",
                "MAIL_PWD",
                "GITHUB_TOKEN",
                "SENTRY_DSN",
                "DB_PASS",
                "AWS_SECRET_ACCESS_KEY",
                "STRIPE_KEY",
                "API_KEYS",
                "PASSWORD_SALT",
                "DB_PWD_2",
                "GOOGLE_CREDENTIALS",
                "mail_pwd",
            )
        ),
    ],
)
def test_finds_secrets_in_an_environment(name: str, value: str, secret: str) -> None:
    register({name: value})
    assert redact(f"it said {secret}, {secret!r}") == f"it said {MASK}, {secret!r}".replace(
        repr(secret)[1:-1], MASK
    )


def test_masks_no_innocent_value() -> None:
    register({"PWD": "/srv/innocent", "KEYBOARD": "us-innocent", "MONKEY": "innocent-monkey"})
    register({"PASSENGERS": "innocent people", "SSH_KEY_PATH": "/srv/innocent.pem"})
    register({"SITE": "http://localhost:8000/@team", "OTHER": "https://example.org:443/a@b"})
    text = "http://localhost:8000/ :443/a /srv/innocent us-innocent innocent-monkey"
    text += " innocent people /srv/innocent.pem"
    assert redact(text) == text


def test_what_acts_on_a_terminal_is_taken_out() -> None:
    title = "a\x1b[31mb\x1b]0;title\x07c\x9b31md\u202ee\u2066f\u200fg\x08h\u2028i\rj\tk\x90q\x9cl"
    assert printable(title) == "abcdefghij\tkl"
    # What is not ended ends nothing: the lines below are still shown.
    assert printable("a\x1b]0;b\nc\x9dd\ne\x1b") == "a0;b\ncd\ne"


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
