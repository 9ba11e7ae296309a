"""Where one field of the new type takes its value from: another field, a constant, a function."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from screens.theme import MUTED, TEXT, VERMILION
from wizard.config import fieldmap
from wizard.config.fieldmap import DROP, FieldTable, Row

CONSTANT, COMPUTED, UNSAID = "constant", "computed", "unsaid"
ASKS = {
    CONSTANT: "The constant, as YAML writes it: 3, true, '3', a text.",
    COMPUTED: "The dotted path of a function of the project; it is given the page.",
}


class FieldChoiceScreen(ModalScreen[tuple[Any] | None]):
    """Closes with the field's entry in the field map, `(None,)` for none; None changes nothing."""

    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave as it is", priority=True)
    ]

    def __init__(self, row: Row, table: FieldTable) -> None:
        super().__init__()
        self.row = row
        self.new_field = row.new_field or ""
        self.entry = table.entries.get(self.new_field)
        self._asked = ""
        fits = table.choices.get(self.new_field, ())
        self._entries: dict[str, Any] = {f"from {name}": {"from": name} for name in fits}
        if self.new_field not in table.recorded:
            self._entries = {UNSAID: None, **self._entries}
        self._rows = row.how in ("rows", "empty") or row.type == "rows"

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="field-choice"):
            title = f"{self.new_field}  {self.row.type}"
            yield Static(Text(title), classes="dialog-title", markup=False)
            yield Static(Text(f"Now: {self.row.how} {self.row.origin}", MUTED), markup=False)
            yield OptionList(*self._options(), id="choices", compact=True)
            yield Input(id="given", compact=True, disabled=True)
            yield Static(id="given-say", markup=False)
        yield Footer(show_command_palette=False)

    def _options(self) -> list[Option]:
        wordings = {
            UNSAID: "as it is when nothing is said of it",
            DROP: "nothing: its own default; a field of that name is dropped",
            CONSTANT: "a constant …",
            COMPUTED: "computed by a function …",
        }
        keys = [*self._entries, DROP] if self._rows else [*self._entries, *ASKS, DROP]
        return [Option(Text(wordings.get(key, key), TEXT), id=key) for key in keys]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Close with the choice; ask below for a constant or a function."""
        event.stop()
        chosen = event.option.id or ""
        if chosen not in ASKS:
            self.dismiss((self._entries.get(chosen, DROP),))
            return
        self._asked = chosen
        field = self.query_one("#given", Input)
        field.disabled = False
        entry = self.entry if isinstance(self.entry, dict) else {}
        key = "value" if chosen == CONSTANT else "call"
        field.value = str(entry[key]) if key in entry else ""
        self.query_one("#given-say", Static).update(Text(ASKS[chosen], MUTED))
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close with the entry if its form is right; the project judges it with the whole map."""
        event.stop()
        try:
            if self._asked == CONSTANT:
                entry = fieldmap.constant(event.value)
            else:
                given = {self.new_field: {"call": event.value.strip()}}
                entry = fieldmap.entries(given)[self.new_field]
        except ValueError as problem:
            self.query_one("#given-say", Static).update(Text(f"✗ {problem}", VERMILION))
            return
        self.dismiss((entry,))

    def action_leave(self) -> None:
        """Close on Esc, and change nothing."""
        self.dismiss(None)
