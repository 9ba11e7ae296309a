"""The six steps, in order; one file each, named as its screen is."""

from wizard.engine.operation import Step
from wizard.steps import backup, copy, production, project, slugs, structure

STEPS: tuple[Step, ...] = (
    project.STEP,
    backup.STEP,
    structure.STEP,
    copy.STEP,
    slugs.STEP,
    production.STEP,
)
