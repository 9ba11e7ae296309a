"""The guards that stand in a conversion's migrations, and the module that they are imported from.

The module is `migration_guard.py` beside this file, copied into the operator's migrations: they
run where nothing of ours is installed.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from .database import page_connection
from .types import Model

SOURCE = Path(__file__).with_name("migration_guard.py")
MODULE = "_guard"


class Guards:
    """Makes guards of the module `MODULE` in a package of migrations, `place` being its folder.

    A module of that name with another content is left alone, and `_guard_2` made, and so on.
    """

    def __init__(self, package: str, place: Path) -> None:
        self._text = SOURCE.read_text(encoding="utf-8")
        self._path, self._there = _free(place, self._text)
        self._module: Any = ModuleType(f"{package}.{self._path.stem}")
        exec(compile(self._text, str(self._path), "exec"), self._module.__dict__)

    def files(self) -> list[dict[str, str]]:
        """Return the module as a file to be written: none if it is there."""
        if self._there:
            return []
        name = self._path.stem
        return [{"name": name, "path": str(self._path), "text": self._text, "sql": ""}]

    def no_rows(self, key: str, new: str) -> Any:
        """Return the guard that stands after the creation of the new type."""
        return self._module.RequireNoRows(key=key, new=new)

    def around(
        self, removes: list[Any], key: str, old: Model, new: str, fields: list[str]
    ) -> list[Any]:
        """Return the operations that remove the fields, with what guards them both ways.

        `old` is the old type as it is before them.
        """
        name = old._meta.model_name
        guard = self._module.RequireValuesMoved(key=key, old=name, new=new, fields=fields)
        required = [field for field in fields if not _fillable(old._meta.get_field(field))]
        back = [self._module.RequireFillable(old=name, fields=required)] if required else []
        return [guard, *removes, *back]


def _free(place: Path, text: str) -> tuple[Path, bool]:
    """Return where the module is, or can be written, and whether it is there."""
    number = 1
    while True:
        path = place / f"{MODULE}{'' if number == 1 else f'_{number}'}.py"
        if not path.exists():
            return path, False
        if path.read_text(encoding="utf-8") == text:
            return path, True
        number += 1


def _fillable(field: Any) -> bool:
    """Return whether a column can be added to a table that has rows."""
    if field.null or field.many_to_many:
        return True
    with page_connection().schema_editor(collect_sql=True) as editor:
        return editor.effective_default(field) is not None
