"""What the prompt of a step says: how the work stands, and what comes on Enter."""

from __future__ import annotations

from dataclasses import dataclass

from screens.gate import MINIMUM
from screens.model import Model, StepState
from screens.widgets.prompt import PromptText


@dataclass(frozen=True)
class PromptState:
    """How the work stands, besides what the model knows of it."""

    size: tuple[int, int]
    """Columns and rows of the terminal."""
    waits: bool = False
    """A step waits for somebody to begin it."""
    asks: bool = False
    """A dialog of the engine's is open."""
    stops: bool = False
    finished: bool = False
    questions: int = 0
    """How many of the current step's questions are not answered."""


def prompt_text(model: Model, name: str, state: PromptState) -> PromptText:
    """Return what the prompt of the step `name` says."""
    width, height = state.size
    small = ""
    if width < MINIMUM[0] or height < MINIMUM[1]:
        small = f"{width}x{height}: gates stay closed below {MINIMUM[0]}x{MINIMUM[1]}"
    current = model.steps[model.current]
    if state.finished:
        return PromptText("Everything is done.", warning=small)
    if name != current.name:
        how = "waits to begin" if state.waits else "is being worked on"
        if state.waits and not small and (count := model.steps[name].warnings):
            few = "one warning" if count == 1 else f"{count} warnings"
            small = f"Read {few} on this step first."
        return PromptText(f"goes to {current.title}, which {how}", "ctrl+n", warning=small)
    if state.waits:
        text = outlook(current, state.questions) + _look_back(model)
        return PromptText(text, "Enter", warning=small)
    text = doing(current)
    if state.stops:
        return PromptText(f"Stopping. Until then: {text}", warning=small)
    if state.asks:
        what = current.active.title if current.active else current.title
        return PromptText(f"Nothing is done before your answer: {what}", warning=small)
    return PromptText(f"Working: {text}. ctrl+c asks how to stop.", warning=small)


def doing(step: StepState) -> str:
    """Return the title of what is worked on or planned."""
    operation = step.active or next(iter(step.left), None)
    return operation.title if operation else step.title


def outlook(step: StepState, questions: int) -> str:
    """Return what happens on Enter: how much is done before the next gate or question."""
    fresh = len(step.left) == len(step.operations)
    text = f"{'begins' if fresh else 'goes on with'} {step.title}: "
    if questions:
        text += "one question, then " if questions == 1 else f"{questions} questions, then "
    count, gates = len(step.left), sum(operation.gated for operation in step.left)
    text += "one operation" if count == 1 else f"{count} operations"
    if gates:
        some = "" if count == 1 else ", one of them" if gates == 1 else f", {gates} of them"
        text += f"{some} behind a gate"
    return f"{text}."


def _look_back(model: Model) -> str:
    """Return how to look at the step before, whose screen goes when it is done."""
    names = list(model.steps)
    number = names.index(model.current)
    if not number or not model.steps[names[number - 1]].operations:
        return ""
    return f" {number} looks back at {model.steps[names[number - 1]].title}."
