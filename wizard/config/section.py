"""A mapping of remodel.yml, read strictly: typed access, and every refusal names its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from wizard.base import redaction, yamlfile
from wizard.base.errors import ConfigError
from wizard.config import fieldmap


class ConfigSection:
    """A mapping of remodel.yml: typed access, and at the end no key left over."""

    def __init__(self, data: Any, lines: Mapping[str, int], path: Path, at: str) -> None:
        self._lines = lines
        self._path = path
        self._at = at
        self._taken: set[str] = set()
        self.origin: dict[str, str] = {}
        if not isinstance(data, dict):
            self.refuse("", f"a mapping of keys is needed here, not {yamlfile.brief(data)}")
        self._data: dict[str, Any] = {str(key): value for key, value in data.items()}

    def refuse_secrets(self) -> None:
        """Raise ConfigError with every line in which a secret stands in the clear."""
        public: list[str] = []
        faults: list[str] = []
        for key, text in yamlfile.texts(self._data):
            if redaction.shows_secret(text):
                faults.append(f"line {self._lines.get(key, 1)}: {key}")
            public.append(text)
        if faults:
            raise ConfigError(
                f"{self._path.name} has a secret in the clear.",
                found="\n".join(faults),
                hint="Take it out. Passwords of databases come by name, from .env or the "
                "environment; a command can read its own from there, too.",
            )
        redaction.public(public)

    def names(self) -> list[str]:
        return list(self._data)

    def section(self, key: str, *, optional: bool = False) -> ConfigSection:
        value = self._take(key, {} if optional else None)
        section = ConfigSection(value, self._lines, self._path, self._dotted(key))
        section.origin = self.origin
        return section

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if not isinstance(value, str):
            self.refuse(key, f"a text is needed, not {yamlfile.brief(value)}")
        if default is None and not value.strip():
            self.refuse(key, "this cannot be empty")
        return str(value)

    def number(self, key: str, default: int) -> int:
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
            self.refuse(key, f"a port number is needed, not {yamlfile.brief(value)}")
        return int(value)

    def words(self, key: str) -> tuple[str, ...]:
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(key, f"a list of texts is needed, not {yamlfile.brief(value)}")
        return tuple(value)

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        value = self._take(key, [])
        if not isinstance(value, list) or not all(
            isinstance(command, list) and command and all(isinstance(word, str) for word in command)
            for command in value
        ):
            self.refuse(key, "a list of commands is needed, each a list of words")
        return tuple(tuple(command) for command in value)

    def label(self, key: str) -> str:
        value = self.text(key)
        app, dot, model = value.partition(".")
        if not (dot and app.isidentifier() and model.isidentifier()):
            self.refuse(key, f"{yamlfile.brief(value)} is not a label of the form app.Model")
        return value

    def choice(self, key: str, among: tuple[str, ...]) -> str:
        """Return the key's value, one of these words; the first by default."""
        value = self._take(key, among[0])
        if value not in among:
            self.refuse(key, f"{yamlfile.brief(value)} is not one of {', '.join(among)}")
        return str(value)

    def field_map(self, key: str) -> dict[str, Any]:
        value = self._take(key, {})
        try:
            return fieldmap.entries(value)
        except ValueError as problem:
            return self.refuse(key, str(problem))

    def selectors(self, key: str) -> tuple[Mapping[str, Any], ...]:
        value = self._take(key, None)
        if not isinstance(value, list) or not value:
            self.refuse(key, "a list of pages is needed, such as [{slug: show}]")
        for item in value:
            if not _selects(item):
                self.refuse(
                    key,
                    f"{yamlfile.brief(item)} is not one of {{slug: …}}, {{path: /…/}}, {{id: …}}, "
                    "{under: /…/}, {all: true}, {where: {field__lookup: value}}",
                )
        return tuple(fieldmap.plain(value))

    def no_more_keys(self) -> None:
        for key in self._data:
            if key not in self._taken:
                near = yamlfile.nearest(key, self._known())
                if redaction.exposed(key, ""):
                    near = "Secrets come by name, from .env or the environment."
                self.refuse(key, f"this key is not known. {near}")

    def refuse(self, key: str, why: str) -> NoReturn:
        dotted = self._dotted(key)
        line = self._lines.get(dotted) or self._lines.get(self._at) or 1
        raise ConfigError(
            f"{self._path.name} line {line}: {dotted or 'the file'}: {why}",
            hint="The README's config reference lists every key with an example.",
        )

    def _known(self) -> list[str]:
        return sorted(self._taken)

    def _dotted(self, key: str) -> str:
        return ".".join(part for part in (self._at, key) if part)

    def _take(self, key: str, default: Any) -> Any:
        self._taken.add(key)
        dotted = self._dotted(key)
        if key in self._data and self._data[key] is not None:
            self.origin[dotted] = f"{self._path.name}:{self._lines.get(dotted, 1)}"
            return self._data[key]
        if default is None:
            self.refuse(key, f"the key {key!r} is missing")
        self.origin[dotted] = "default"
        return default


def _selects(item: Any) -> bool:
    """Whether this is a selector: one known key, with a value of its kind."""
    if not isinstance(item, dict) or len(item) != 1:
        return False
    ((kind, value),) = item.items()
    match kind:
        case "slug":
            return isinstance(value, str)
        case "path" | "under":
            return isinstance(value, str) and value.startswith("/")
        case "id":
            return isinstance(value, int) and not isinstance(value, bool)
        case "all":
            return value is True
        case "where":
            return isinstance(value, dict) and bool(value) and all(map(_lookup, value))
    return False


def _lookup(name: Any) -> bool:
    """Whether this can name a field or a lookup of Django's."""
    return isinstance(name, str) and name.isidentifier()
