"""Answers to Django's questions about migrations: none. Each question is an error that names it."""

from __future__ import annotations

from typing import Any, Callable

from ..protocol import Refusal


def unanswered(app: str) -> Any:
    """Return a questioner that takes this app as initialised, and refuses every other question."""
    from django.db.migrations.questioner import MigrationQuestioner

    return type("Unanswered", (MigrationQuestioner,), _answers())(specified_apps={app})


def _answers() -> dict[str, Callable[..., None]]:
    def asked(question: str) -> Callable[..., None]:
        def refuse(self: object, *args: object, **kwargs: object) -> None:
            about = ", ".join(str(arg) for arg in [*args, *kwargs.values()])
            raise Refusal(
                "question",
                f"Django asks {question}, and there is no answer that is right for certain.",
                found=f"about: {about}",
                hint="Make and apply the app's other changes first, then try again.",
            )

        return refuse

    return {
        "ask_rename": asked("whether a field was renamed"),
        "ask_rename_model": asked("whether a model was renamed"),
        "ask_merge": asked("whether to merge migrations"),
        "ask_not_null_addition": asked("for a default of a new field that may not be null"),
        "ask_not_null_alteration": asked("for a default of a field that may no longer be null"),
        "ask_auto_now_add_addition": asked("for a default of a new auto_now_add field"),
        "ask_unique_callable_default_addition": asked("about a unique callable default"),
    }
