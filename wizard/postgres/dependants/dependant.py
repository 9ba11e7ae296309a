"""Something in a database that a column or a table takes along when it is dropped."""

from __future__ import annotations

from dataclasses import dataclass

READS = {
    "view": "reads",
    "materialized view": "reads",
    "function": "reads",
    "procedure": "reads",
    "rule": "reads",
    "generated column": "is computed from",
    "policy": "asks",
    "statistics": "is about",
    "index": "is on",
    "unique constraint": "is on",
    "primary key": "is on",
    "exclusion constraint": "is on",
    "not null": "is on",
    "check constraint": "checks",
    "foreign key": "is on",
    "trigger": "watches",
    "publication column list": "publishes",
    "publication row filter": "asks",
    "publication": "publishes",
    "default": "is of",
    "sequence": "numbers",
    "column comment": "is on",
    "column privileges": "are on",
    "column settings": "are of",
    "security label": "is on",
    "comment": "is on",
    "privileges": "are on",
    "replica identity": "needs",
    "partition key": "is on",
    "parent table": "has",
}
"""What each kind does with what it depends on."""
MAY_READ = "may read"


@dataclass(frozen=True)
class Dependant:
    """An object that goes with a dropped column or table, or that may fail afterwards.

    `identity` is schema-qualified, as pg_identify_object has it. `definition` is SQL that makes
    it anew, or a function's text; empty where PostgreSQL has no words for it. `owner` is empty
    where the kind has none of its own. `privileges` are those beside the owner's usual ones, in
    order: `SELECT granted to report`. `because` names what it depends on: columns that go, or
    dependants in between. `django_own` is what Django makes for a model's field and makes again
    with the field. One that is not `certain` stays, and reads what is gone as far as its text
    says. One that `refuses` has PostgreSQL refuse the drop.
    """

    kind: str
    identity: str
    definition: str = ""
    owner: str = ""
    privileges: tuple[str, ...] = ()
    comment: str = ""
    because: tuple[str, ...] = ()
    django_own: bool = False
    certain: bool = True
    refuses: bool = False

    @property
    def name(self) -> str:
        """Kind and identity: how another one's `because` has it."""
        return f"{self.kind} {self.identity}"

    def __str__(self) -> str:
        return line(self)


def line(dependant: Dependant) -> str:
    """Return one line in plain words.

    `view public.keyword_report (owner app, SELECT granted to report) reads blog_blog.keywords`.
    """
    aside = [f"owner {dependant.owner}"] if dependant.owner else []
    aside += dependant.privileges
    words = dependant.name + (f" ({', '.join(aside)})" if aside else "")
    verb = READS.get(dependant.kind, "depends on") if dependant.certain else MAY_READ
    sentence = f"{words} {verb} {', '.join(dependant.because)}"
    sentence = sentence.replace("pg_catalog.", "")  # find(pg_catalog.text)
    return f"{sentence}: PostgreSQL refuses the drop" if dependant.refuses else sentence
