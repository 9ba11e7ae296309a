"""What hangs on a column or a table, and goes silently when it is dropped with CASCADE."""

from wizard.postgres.dependants.carried import Carried, carried, make, require_made
from wizard.postgres.dependants.dependant import Dependant, line
from wizard.postgres.dependants.search import of_columns, of_drops, of_table

__all__ = [
    "Carried",
    "Dependant",
    "carried",
    "line",
    "make",
    "of_columns",
    "of_drops",
    "of_table",
    "require_made",
]
