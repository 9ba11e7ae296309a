"""One database held against another, and the conversion against what a target has."""

from __future__ import annotations

from wizard.base.errors import VerificationFailed, some
from wizard.config.databases import Target
from wizard.engine.context import Context
from wizard.engine.results import Converted
from wizard.postgres import server
from wizard.postgres.address import Address
from wizard.postgres.drift.contents import DatabaseContents, contents, differences
from wizard.project.pagetree import PageTree

NAMED = 20  # converted pages that a check tells one by one; of more it tells the number


async def require_same(address: Address, expected: DatabaseContents, what: str) -> None:
    """Raise VerificationFailed unless the database at `address` has these contents."""
    different = differences(expected, await contents(address))
    if different:
        raise VerificationFailed(
            f"{what} is not equal to the local one.",
            found=some(different, 20),
            hint="Nothing was delivered. Look for something that writes to the local database.",
        )


async def faults_of(context: Context, target: Target, address: Address) -> list[str]:
    """Return what is wrong with the target's database, read with plain SQL."""
    faults: list[str] = []
    tree = PageTree(address)
    page_map = context.facts.of(Converted).page_map
    mapping = {int(old): new for old, new in page_map.items()}
    wanted = context.config.conversion.new_type
    others = await tree.of_another_type(mapping.values(), wanted)
    faults += [f"page {new} is not a {wanted}" for new in others]
    gone = mapping.keys() - mapping.values()  # none of them where ids were kept
    left = (await tree.slugs_of(gone)) if gone else {}
    faults += [f"the original page {page} is still there" for page in left]
    for page in await tree.among(mapping.values(), limit=NAMED):
        context.report.finding(
            page.url_path, f"{page.type} {page.title!r} with {page.children:,} children"
        )
    if (there := len(mapping) - len(others)) > NAMED:
        context.report.finding("converted pages", f"{there:,} in all are {wanted}")
    async with server.session(address) as connection:
        rows = await connection.execute("SELECT hostname, port FROM wagtailcore_site")
        sites = [f"{hostname}:{port}" for hostname, port in await rows.fetchall()]
    if str(target.site) not in sites:
        faults.append(f"no Site is on {target.site}; there is {', '.join(sites)}")
    else:
        context.report.finding("Site", str(target.site))
    return faults
