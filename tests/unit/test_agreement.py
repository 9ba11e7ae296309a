"""What a migration changed against the models is told from what differed before it."""

from __future__ import annotations

from wizard.project.worker_results import SchemaDifference
from wizard.steps.agreement import changed, line


def difference(
    definition: str, *, name: str = "some_name", only_in: str = "database", table: str = "cast_blog"
) -> SchemaDifference:
    return SchemaDifference(
        table=table, kind="index", name=name, definition=definition, only_in=only_in
    )


BY_HAND = difference("CREATE INDEX ON public.cast_blog USING btree (code)")


def test_what_was_so_before_is_no_change() -> None:
    again = difference(BY_HAND["definition"], name="renamed")
    assert changed([BY_HAND], [again], {}) == []
    assert changed([BY_HAND], [], {}) == []


def test_one_more_of_the_same_is_a_change() -> None:
    assert changed([BY_HAND], [BY_HAND, BY_HAND], {}) == [BY_HAND]


def test_the_other_side_another_table_or_another_definition_is_a_change() -> None:
    others = [
        difference(BY_HAND["definition"], only_in="models"),
        difference(BY_HAND["definition"], table="cast_podcast"),
        difference(BY_HAND["definition"].replace("btree", "gist")),
    ]
    assert changed([BY_HAND], others, {}) == others


def test_a_column_that_was_renamed_is_the_same() -> None:
    before = difference("CREATE INDEX ON public.cast_podcast USING btree (new_order, new_orders)")
    after = difference('CREATE INDEX ON public.cast_podcast USING btree ("order", new_orders)')
    assert changed([before], [after], {"new_order": "order"}) == []
    assert changed([before], [after], {"new_order": "other"}) == [after]


def test_a_difference_in_words() -> None:
    assert line(BY_HAND) == (
        "cast_blog: index some_name, CREATE INDEX ON public.cast_blog USING btree (code): "
        "in the database, and not declared by the models"
    )
    missing = SchemaDifference(
        table="cast_podcast", kind="table", name="cast_podcast", definition="", only_in="models"
    )
    assert line(missing) == "the table cast_podcast is not in the database"
