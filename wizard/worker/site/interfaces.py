"""What a page type shows: its edit form, its search fields, its API, and what Wagtail reads of it.

Built from the classes alone, as Wagtail builds it, and said in words that are the same in every
process. Whatever asks the database is refused: there may be none yet, and nothing is written.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional

from ..protocol import Reply
from .models import base_page, page_labels, page_model
from .plain_words import is_plain, words
from .types import Instance, Model

# What Wagtail asks a page class for, and its own classes do not have.
_UNSET = ("subpage_types", "parent_page_types", "page_description")
# What Django gives to each class.
_OF_EACH_MODEL = ("Meta", "DoesNotExist", "MultipleObjectsReturned", "NotUpdated")

ASKS = "asks the database"


class Entry(NamedTuple):
    """One entry of a list, a form or a response; `fields` are those of the model it is about."""

    fields: List[str]
    name: str
    text: str


def interfaces(reply: Reply) -> Dict[str, Dict[str, Any]]:
    """Return each page type's `file`, `modules`, `parents`, and `sections` by name.

    A section is `{"entries": [[fields, name, text], ...], "error": ...}`; the error is what Wagtail
    raised in its stead, or None.
    """
    with _without_database():
        return {label: _interfaces(page_model(label)) for label in page_labels()}


def _interfaces(model: Model) -> Dict[str, Any]:
    sections: Dict[str, Callable[[Model], Iterable[Entry]]] = {
        "edit form": _form,
        "panels": _panels,
        "search": _search,
        "search value": _search_values,
        "API": _api,
        "API response": _response,
        "class": _attributes,
    }
    return {
        "file": inspect.getsourcefile(model),
        "modules": _modules(model),
        "parents": [parent._meta.label for parent in model._meta.get_parent_list()],
        "sections": {name: _section(model, entries) for name, entries in sections.items()},
    }


def _modules(model: Model) -> List[str]:
    """Return the module of the app's models, and the packages around the class's own module, where
    the class can be imported from.
    """
    from django.apps import apps

    parts = model.__module__.split(".")
    config = apps.get_app_config(model._meta.app_label)
    names = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    names.add(config.models_module.__name__)
    found = ((name, getattr(sys.modules.get(name), model.__name__, None)) for name in names)
    return sorted(name for name, there in found if there is model)


def _section(model: Model, entries: Callable[[Model], Iterable[Entry]]) -> Dict[str, Any]:
    try:
        return {"entries": list(entries(model)), "error": None}
    except Exception as error:  # whatever the project's classes raise
        return {"entries": [], "error": ASKS if _asks(error) else f"{_kind(error)}: {error}"}


def _form(model: Model) -> Iterator[Entry]:
    form = model.get_edit_handler().get_form_class()
    for name, field in form.base_fields.items():
        said = {one: getattr(field, one) for one in ("required", "label", "help_text")}
        text = f"{_kind(field)}, {_kind(field.widget)}, {words(said)}"
        yield Entry(_fields(model, name), name, text)
    for name in getattr(form, "formsets", {}):
        yield Entry(_fields(model, name), name, "formset")


def _panels(model: Model) -> Iterator[Entry]:
    """Yield the panels that show something; how they are grouped does not count."""
    waiting = [model.get_edit_handler()]
    while waiting:
        panel = waiting.pop(0)
        if hasattr(panel, "children"):
            waiting[:0] = panel.children
            continue
        said = panel.clone_kwargs()
        about = said.get("field_name") or said.get("relation_name")
        name = f"{_kind(panel)} {about or said.get('heading') or ''}".strip()
        yield Entry(_fields(model, about), name, words(said))


def _search(model: Model) -> Iterator[Entry]:
    for field in model.get_search_fields():
        text = words({**vars(field), "not_there": _not_there(model, field)})
        name = f"{_kind(field)} {field.field_name}"
        yield Entry(_fields(model, field.field_name), name, text)


def _search_values(model: Model) -> Iterator[Entry]:
    instance = _instance(model)
    for field in model.get_search_fields():
        text = _outcome(partial(field.get_value, instance))
        yield Entry(_fields(model, field.field_name), f"{_kind(field)} {field.field_name}", text)


def _not_there(model: Model, field: Any) -> List[str]:
    """Return the fields of a RelatedFields that its model does not have."""
    try:
        related = model._meta.get_field(field.field_name).related_model
        return [one.field_name for one in field.fields if not hasattr(related, one.field_name)]
    except Exception:  # not a relation, or not of the model: Wagtail's checks say so
        return []


def _api(model: Model) -> Iterator[Entry]:
    for field in _api_fields(model):
        serializer = getattr(field, "serializer", None)
        source = getattr(serializer, "_kwargs", {}).get("source", "").partition(".")[0]
        name = getattr(field, "name", field)
        fields = _fields(model, name) + (_fields(model, source) if source else [])
        yield Entry(fields, name, words(serializer))


def _response(model: Model) -> Iterator[Entry]:
    """Yield what kind of value the API gives for each field of a page that has the defaults."""
    if not (names := [getattr(field, "name", field) for field in _api_fields(model)]):
        return
    try:
        from wagtail.api.v2.router import WagtailAPIRouter
        from wagtail.api.v2.views import PagesAPIViewSet
    except ImportError:  # without the Django REST framework
        return
    router = WagtailAPIRouter("remodel")
    everything = [("*", False, None)]
    made = PagesAPIViewSet._get_serializer_class(router, model, everything, show_details=True)
    context = {"request": None, "view": PagesAPIViewSet(), "router": router}
    fields, instance = made(context=context).fields, _instance(model)
    for name in dict.fromkeys(names):
        text = _outcome(partial(_represented, fields[name], instance))
        yield Entry(_fields(model, name), name, text)


def _represented(field: Any, instance: Instance) -> Any:
    value = field.get_attribute(instance)
    return None if value is None else field.to_representation(value)


def _api_fields(model: Model) -> List[Any]:
    return [
        *(getattr(model, "api_fields", None) or ()),
        *(getattr(model, "api_meta_fields", None) or ()),
    ]


def _attributes(model: Model) -> Iterator[Entry]:
    """Yield what the class says where one of Wagtail's own classes says something, too."""
    own = [cls for cls in model.__mro__ if cls.__module__.partition(".")[0] == "wagtail"]
    for name in sorted({*_UNSET, *(name for cls in own for name in vars(cls))}):
        value = getattr(model, name, None)
        if name.startswith("_") or not is_plain(value) or name in _OF_EACH_MODEL:
            continue
        if not isinstance(value, (list, tuple)):
            yield Entry([], name, words(value))
            continue
        yield Entry([], name, "a list")
        for item in value:
            text = _label(model, item) if name in _UNSET else words(item)
            yield Entry(_fields(model, item), f"{name}: {text}", text)


def _label(model: Model, item: Any) -> str:
    """Return the label of a page model that a list names; otherwise what it says."""
    from wagtail.coreutils import resolve_model_string

    try:
        return str(resolve_model_string(item, model._meta.app_label)._meta.label)
    except Exception:  # no model: some other word
        return words(item)


def _fields(model: Model, name: Any) -> List[str]:
    """Return the field that a name means, by its own name: `cover` for `cover_id`."""
    from django.core.exceptions import FieldDoesNotExist

    if not isinstance(name, str):
        return []
    try:
        return [model._meta.get_field(name).name]
    except FieldDoesNotExist:
        return [name]


def _instance(model: Model) -> Optional[Instance]:
    """Return a page that is nowhere saved; None where it cannot be made without a database.

    It has a primary key, and a content type: Wagtail looks for that of a new page.
    """
    fields = model._meta.concrete_fields
    links = [field for field in fields if getattr(field.remote_field, "parent_link", False)]
    keys = {link.attname: -1 for link in links}
    try:
        return model(**{**keys, base_page()._meta.pk.attname: -1, "content_type_id": -1})
    except Exception:  # the project's own __init__
        return None


def _outcome(value: Callable[[], Any]) -> str:
    """Return the kind of a value, or of what is raised in its stead."""
    try:
        return _kind(value())
    except Exception as error:  # whatever the project's code raises
        if _kind(error) == "SkipField":  # of the Django REST framework
            return "left out"
        return ASKS if _asks(error) else f"error: {_kind(error)}"


def _kind(value: Any) -> str:
    return str(value.__class__.__name__)


def _asks(error: Optional[BaseException]) -> bool:
    """Whether an error comes from the database, be it raised again as another."""
    from django.db import Error

    while error is not None:
        if isinstance(error, Error):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def _without_database() -> Iterator[None]:
    """Refuse every statement, of any connection."""
    from django.db import OperationalError, connections

    def refuse(*_: Any) -> Any:
        raise OperationalError("The models are described without a database.")

    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(refuse))
        yield
