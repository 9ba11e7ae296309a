"""Every way in which a URL can be another than before is a sentence."""

from __future__ import annotations

from typing import Any

from wizard.delivery.verify.urls import compare_urls


def page(number: int, url: str, **changes: object) -> dict[str, Any]:
    return {
        "page_id": number,
        "site": 1,
        "url": url,
        "title": "Show",
        "live": True,
        "restricted": False,
        "type": "cast.Blog",
        **changes,
    }


BEFORE = [page(4, "/show/"), page(5, "/show/one/"), page(4, "/show/", site=2)]


def test_equal_urls_by_the_map_are_no_fault() -> None:
    after = [page(46, "/show/"), page(5, "/show/one/"), page(46, "/show/", site=2)]
    assert compare_urls(BEFORE, after, {"4": 46}) == []


def test_reports_each_fault() -> None:
    after = [
        page(4, "/show/", title="Other"),
        page(5, "/show/two/"),
        page(46, "/show/", site=2, live=False, restricted=True),
    ]
    faults = "\n".join(compare_urls(BEFORE, after, {"4": 46}))
    assert "/show/one/ is gone" in faults
    assert "/show/two/ is new" in faults
    assert "leads to page 4, and should to 46" in faults
    assert "title was 'Show', is 'Other'" in faults
    assert "live was True, is False" in faults
    assert "restricted was False, is True" in faults
