"""The field map as a table: Enter on a row changes where that field takes its value from."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from screens.field_choice import FieldChoiceScreen
from screens.theme import BLUE, MUTED, ORANGE, TEXT, VERMILION
from wizard.config.fieldmap import HEADINGS, FieldTable, Row

_COLOURS = {"dropped": VERMILION, "constant": ORANGE, "computed": ORANGE, "renamed": BLUE}


class FieldMapTable(DataTable[Text]):
    """A row for each field of the new type, then a row for each field that is dropped."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", "Change"),
    ]

    def __init__(self, table: FieldTable) -> None:
        super().__init__(id="value", cursor_type="row", zebra_stripes=False)
        self.table = table

    @property
    def entries(self) -> dict[str, Any]:
        """The field map as it stands."""
        return dict(self.table.entries)

    def on_mount(self) -> None:
        """Fill in the headings, then the rows."""
        for heading in HEADINGS:
            self.add_column(Text(heading, f"bold {BLUE}"))
        self._fill()

    def _fill(self) -> None:
        at = self.cursor_row
        self.clear()
        for row in self.table.rows:
            self.add_row(*_drawn(row))
        self.move_cursor(row=at)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Have the row's source chosen, on Enter or a click."""
        event.stop()
        row = self.table.rows[event.cursor_row]
        if row.new_field is None:
            self.notify(
                f"{row.old_field} is dropped. To keep its values, "
                "choose the field that takes them.",
                markup=False,
            )
            return
        new_field = row.new_field

        def change(result: tuple[Any] | None) -> None:
            if result is None:
                return
            entries = {name: entry for name, entry in self.entries.items() if name != new_field}
            if result[0] is not None:
                entries[new_field] = result[0]
            self.table = self.table.changed(entries)
            self._fill()

        self.app.push_screen(FieldChoiceScreen(row, self.table), change)


def _drawn(row: Row) -> list[Text]:
    field, how, origin, field_type, note = row.cells()
    colour = _COLOURS.get(row.how, TEXT)
    return [
        Text(field, TEXT if row.new_field else MUTED),
        Text(how, colour),
        Text(origin, TEXT),
        Text(field_type, MUTED),
        Text(note, MUTED),
    ]
