"""Questions as form fields. A field shows one question, and its error beside it."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.highlight import highlight
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, RadioButton, RadioSet, SelectionList, Static
from textual.widgets.selection_list import Selection

from screens.widgets.fieldmap import FieldMapTable
from wizard.base.editor import edit
from wizard.base.errors import RemodelError
from wizard.config.fieldmap import FieldTable
from wizard.session.questions import Question


class Source(VerticalScroll, can_focus=True):
    """Program text to read; `e` opens it in the operator's own editor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit"),
        Binding("enter", "accept", "Accept", show=False),
    ]

    class Accepted(Message):
        """Enter: the text is right as it stands."""

    def __init__(self, text: str) -> None:
        super().__init__(id="value")
        self.text = text

    def compose(self) -> ComposeResult:
        yield Static(highlight(self.text, language="python"), classes="source", markup=False)

    def action_edit(self) -> None:
        """Give the terminal to the editor until that is closed."""
        try:
            with self.app.suspend():
                self.text = edit(self.text, ".py")
        except RemodelError as error:
            self.notify(str(error), severity="error", markup=False)
        self.query_one(Static).update(highlight(self.text, language="python"))

    def action_accept(self) -> None:
        """Accept the text as it stands, on Enter."""
        self.post_message(self.Accepted())


class Field(Vertical):
    """One question. `raw` is the answer as it stands; `refuse` says what is wrong with it."""

    def __init__(self, question: Question, recorded: Any = None) -> None:
        super().__init__(classes=f"field -{question.kind}")
        self.question = question
        self._first = question.default if recorded is None else recorded

    def compose(self) -> ComposeResult:
        yield Static(self.question.text, classes="question", markup=False)
        if self.question.help:
            help_text = " ".join(
                self.question.help.split()
            )  # wrapped here, not where it was written
            yield Static(help_text, classes="question-help", markup=False)
        yield self._value()
        if self.question.kind in ("choice", "many"):
            yield Static(classes="question-chosen", markup=False)
        yield Static(classes="question-error", markup=False)

    def on_mount(self) -> None:
        """Say what is chosen from the beginning."""
        self._tell()

    def on_radio_set_changed(self) -> None:
        """Return the current choice in words."""
        self._tell()

    def on_selection_list_selected_changed(self) -> None:
        """Return the current choice in words."""
        self._tell()

    def _tell(self) -> None:
        """Return the selected options in words, since the boxes show them by color alone."""
        for chosen in self.query(".question-chosen").results(Static):
            raw = self.raw
            chosen_text = ", ".join(raw) if isinstance(raw, list) else raw
            chosen.update(f"✓ {chosen_text}" if chosen_text else "nothing is chosen")

    def _value(self) -> Widget:
        question, first = self.question, self._first
        match question.kind:
            case "choice":
                return RadioSet(
                    *(RadioButton(_plain(c), value=c == first) for c in question.choices),
                    id="value",
                    compact=True,
                )
            case "many":
                chosen = first or []
                return SelectionList(
                    *(Selection(_plain(c), c, c in chosen) for c in question.choices),
                    id="value",
                    compact=True,
                )
            case "source":
                return Source(first or "")
            case "fields":
                table: FieldTable = question.default
                return FieldMapTable(table.changed(first) if isinstance(first, dict) else table)
            case _:
                kind = "integer" if question.kind == "number" else "text"
                value = "" if first is None else str(first)
                return Input(value, type=kind, id="value", compact=True)  # type: ignore[arg-type]

    @property
    def raw(self) -> Any:
        """What stands in the field, for `Question.accept`."""
        match self.query_one("#value"):
            case RadioSet() as buttons:
                index = buttons.pressed_index
                return self.question.choices[index] if index >= 0 else ""
            case SelectionList() as chosen:
                # In the order of the question, not in that of the clicks.
                return [c for c in self.question.choices if c in chosen.selected]
            case Source() as source:
                return source.text
            case FieldMapTable() as table:
                return table.entries
            case Input() as field:
                return field.value
        raise AssertionError(self.question.kind)

    def refuse(self, why: str) -> None:
        """Show what is wrong, or nothing."""
        self.set_class(bool(why), "-refused")
        self.query_one(".question-error", Static).update(f"✗ {why}")


def _plain(text: str) -> str:
    """Escape a choice: these widgets read brackets as markup."""
    return text.replace("[", "\\[")


class Form(VerticalScroll, can_focus=False):
    """A field for each question. Enter goes to the next one, and from the last one accepts."""

    class Submitted(Message):
        """Every answer was accepted by its question."""

        def __init__(self, answers: dict[str, Any]) -> None:
            super().__init__()
            self.answers = answers

    def __init__(self, questions: list[Question], recorded: dict[str, Any]) -> None:
        super().__init__(id="form")
        self._fields = [Field(question, recorded.get(question.key)) for question in questions]

    def compose(self) -> ComposeResult:
        yield from self._fields

    def on_mount(self) -> None:
        """Begin with the first question."""
        self._focus(self._fields[0])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Check this answer on Enter, then go to the next question or submit."""
        event.stop()
        here = next(f for f in self._fields if event.input in f.query("#value"))
        if here is self._fields[-1]:
            self.submit()
        elif self._accepted(here) is not None:
            self._focus(self._fields[self._fields.index(here) + 1])

    def on_source_accepted(self, event: Source.Accepted) -> None:
        """Submit the form on Enter in a text that was read."""
        event.stop()
        self.submit()

    def submit(self) -> None:
        """Check every answer; submit them, or go to the first that is refused."""
        accepted = {f.question.key: self._accepted(f) for f in self._fields}
        for field in self._fields:
            if accepted[field.question.key] is None:
                self._focus(field)
                return
        self.post_message(self.Submitted(accepted))

    def _accepted(self, field: Field) -> Any:
        try:
            answer = field.question.accept(field.raw)
        except ValueError as problem:
            field.refuse(str(problem))
            return None
        field.refuse("")
        return answer

    def _focus(self, field: Field) -> None:
        field.query_one("#value").focus()
        field.scroll_visible(animate=False)
