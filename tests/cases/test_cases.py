"""Cases from the field, from the backup to the delivery."""

from __future__ import annotations

import pytest

from tests.cases.conftest import Lay
from wizard.base.errors import RemodelError

pytestmark = pytest.mark.xdist_group("cases")


@pytest.mark.parametrize(
    "name",
    [
        "unique-constraint",
        "clashing-name",
        "field-of-mixin",
        "generated-field",
        "many-to-many",
        "self-foreign-key",
        "class-exists",
        "statement-on-field",
        "check-constraint",
    ],
)
async def test_refused(lay: Lay, name: str) -> None:
    case = await lay(name)
    before = case.source()
    with pytest.raises(RemodelError) as caught:
        await case.run()
    print(type(caught.value), caught.value)
    assert case.source() == before


@pytest.mark.parametrize("name", ["tree-rules", "migration-modules", "state-of-pages"])
async def test_works(lay: Lay, name: str) -> None:
    case = await lay(name)
    await case.run()
    print(await case.query("SELECT * FROM blog_podcast"))
    print(
        await case.query(
            "SELECT slug, url_path, content_type_id FROM wagtailcore_page ORDER BY path"
        )
    )
