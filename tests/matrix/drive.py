"""Drive a Wagtail site as its editors and visitors do; run by the site's own interpreter.

    python drive.py --settings config.settings --user admin --out seen.json [--publish]

Run in the project's folder (the one with manage.py). Imports the standard library, Django and
Wagtail, and works with Wagtail 4.2 to 8.0 under Python 3.9 and newer. Every page that is not
the tree's root is asked for:

* by a visitor and by the superuser at its URL: `visitor` and `superuser`, each with `status`,
  `location` of a redirect, and `digest` of what is served, without tokens that change;
* in the admin: `views`, the status of its edit view, history, explorer, draft, of its oldest
  revision brought back into the editor and of that revision compared with the latest;
* `draft`: the values of its oldest revision that is not scheduled, as the editor sees them.

With `--publish` that revision is then published, as an editor would who goes back to it, and
`published` has the page's values afterwards, read anew; then the newest draft is published
through the explorer's bulk action. `--only 3,4` names the pages to publish, `--views 3,4` those
whose admin is looked at; all of them, unless named.

`faults` is a list of sentences: everything that failed on its own, whatever was there before.
What pages answer is for the caller to compare with an earlier run. A run writes: sessions of
the admin, editing sessions where Wagtail has them, and what `--publish` says.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

CHANGING = [
    re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"'),
    re.compile(rb"csrfToken\S*"),
    re.compile(rb'nonce="[^"]*"'),
]
ROW = {"path", "depth", "numchild"}  # of the tree, not of the page


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", required=True)
    parser.add_argument("--user", required=True, help="user name of a superuser")
    parser.add_argument("--out", required=True, help="file for the JSON")
    parser.add_argument("--bodies", help="folder that keeps what was served, to be compared")
    parser.add_argument("--publish", action="store_true")
    parser.add_argument("--only", default="", help="ids of the pages to publish")
    parser.add_argument("--views", default="", help="ids of the pages whose admin is looked at")
    given = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = given.settings
    sys.path.insert(0, str(Path.cwd()))
    import django

    django.setup()
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_SSL_REDIRECT = False
    drive = Drive(given.user, Path(given.bodies) if given.bodies else None)
    seen = drive.look(_ids(given.views))
    if given.publish:
        seen["published"] = drive.publish(_ids(given.only))
    seen["faults"] = drive.faults
    Path(given.out).write_text(json.dumps(seen, default=str, indent=1, ensure_ascii=False))
    return 0


class Drive:
    """A visitor and a superuser with a browser each."""

    def __init__(self, username: str, bodies: Path | None) -> None:
        from django.contrib.auth import get_user_model
        from django.test import Client

        self.user = get_user_model()._default_manager.get_by_natural_key(username)
        self.visitor = Client()
        self.editor = Client()
        self.editor.force_login(self.user, backend="django.contrib.auth.backends.ModelBackend")
        self.bodies = bodies
        self.faults: list[str] = []

    def look(self, views: set[int]) -> dict[str, Any]:
        """What every page answers, in tree order; of these, or of all if none, the admin too."""
        import django
        import treebeard
        import wagtail

        return {
            "wagtail": wagtail.__version__,
            "django": django.get_version(),
            "treebeard": treebeard.__version__,
            "pages": [self._page(page, not views or page.pk in views) for page in _pages()],
        }

    def publish(self, only: set[int]) -> dict[str, Any]:
        """Publish each page's oldest draft, then its newest: the page's values after the first."""
        found = {}
        for page in _pages():
            if only and page.pk not in only:
                continue
            revision = _oldest(page)
            if revision is None:
                continue
            name = f"page {page.pk} ({page.title!r})"
            try:
                revision.publish(user=self.user)
            except Exception:
                self.faults.append(f"{name}: publishing revision {revision.pk} failed: {_why()}")
                continue
            found[str(page.pk)] = {"revision": revision.pk, "values": _values(_again(page))}
            url = _reverse("wagtail_bulk_action", "wagtailcore", "page", "publish")
            status = self._ask(self.editor, f"{url}?id={page.pk}", name, post=True)["status"]
            if status != 302:
                self.faults.append(f"{name}: the bulk action publish answers {status}")
            now = _again(page)
            place = _parts(now)
            if now.live and place is not None:
                status = self._ask(self.editor, place[0], name, host=place[1])["status"]
                if status >= 400:
                    self.faults.append(f"{name}: answers {status} after it was published")
        return found

    def _page(self, page: Any, views: bool) -> dict[str, Any]:
        name = f"page {page.pk} ({page.title!r})"
        found: dict[str, Any] = {
            "id": page.pk,
            "type": page.specific_class._meta.label if page.specific_class else None,
            "title": page.title,
            "url_path": page.url_path,
            "live": page.live,
            "alias_of": page.alias_of_id,
        }
        try:
            parts = _parts(page)
        except Exception:
            self.faults.append(f"{name}: its URL cannot be told: {_why()}")
            parts = None
        found["url"] = parts[0] if parts else None
        if parts is not None:
            path, host = parts
            for who, client in (("visitor", self.visitor), ("superuser", self.editor)):
                found[who] = self._ask(client, path, name, host=host, keep=f"{page.pk}-{who}")
                if found[who]["status"] >= 500:
                    self.faults.append(f"{name}: {path} answers {who} with {found[who]['status']}")
        found["views"] = self._views(page, name) if views else {}
        revision = None
        try:
            revision = _oldest(page)
            found["draft"] = _values(revision.as_object()) if revision else None
        except Exception:
            self.faults.append(f"{name}: its oldest draft cannot be read: {_why()}")
        found["revision"] = revision.pk if revision else None
        return found

    def _views(self, page: Any, name: str) -> dict[str, int]:
        views = {
            "edit": _reverse("wagtailadmin_pages:edit", page.pk),
            "history": _reverse("wagtailadmin_pages:history", page.pk),
            "explore": _reverse("wagtailadmin_explore", page.pk),
        }
        revisions = list(page.revisions.order_by("created_at", "pk").values_list("pk", flat=True))
        if revisions:
            first = revisions[0]
            views["draft"] = _reverse("wagtailadmin_pages:view_draft", page.pk)
            views["revert"] = _reverse("wagtailadmin_pages:revisions_revert", page.pk, first)
            views["compare"] = _reverse(
                "wagtailadmin_pages:revisions_compare", page.pk, first, "latest"
            )
        answers = {}
        for view, url in views.items():
            answer = self._ask(self.editor, url, f"{name}, {view}")
            answers[view] = answer["status"]
            if answer["status"] != 200:
                self.faults.append(
                    f"{name}: the admin's {view} view answers {answer['status']} "
                    f"{answer['location']}".rstrip()
                )
        return answers

    def _ask(
        self,
        client: Any,
        path: str,
        name: str,
        *,
        host: str = "localhost",
        keep: str = "",
        post: bool = False,
    ) -> dict[str, Any]:
        try:
            ask = client.post if post else client.get
            response = ask(path, HTTP_HOST=host)
            body = b"".join(response) if response.streaming else response.content
        except Exception:
            self.faults.append(f"{name}: {path} raises {_why()}")
            return {"status": 500, "location": "", "digest": ""}
        for pattern in CHANGING:
            body = pattern.sub(b"", body)
        if self.bodies is not None and keep:
            self.bodies.mkdir(parents=True, exist_ok=True)
            (self.bodies / keep).write_bytes(body)
        return {
            "status": response.status_code,
            "location": response.headers.get("Location", ""),
            "digest": hashlib.sha256(body).hexdigest(),
        }


def _ids(text: str) -> set[int]:
    return {int(part) for part in text.split(",") if part}


def _pages() -> list[Any]:
    from wagtail.models import Page

    return list(Page._base_manager.filter(depth__gt=1).order_by("path"))


def _again(page: Any) -> Any:
    """The page as it is in the database now, of its own type."""
    return type(page)._base_manager.get(pk=page.pk).specific


def _parts(page: Any) -> tuple[str, str] | None:
    """The path of the page's URL and the host that serves it; None outside of every site."""
    from wagtail.models import Site

    parts = page.specific.get_url_parts()
    if parts is None or parts[2] is None:
        return None
    site = Site.objects.get(pk=parts[0])
    return parts[2], site.hostname if site.port in (80, 443) else f"{site.hostname}:{site.port}"


def _oldest(page: Any) -> Any:
    """The page's oldest revision that publishing puts live now, not later."""
    from django.utils import timezone

    for revision in page.revisions.order_by("created_at", "pk"):
        go_live = revision.content.get("go_live_at")
        if not go_live or go_live < timezone.now().isoformat():
            return revision
    return None


def _values(page: Any) -> dict[str, Any]:
    """Fields, children and tags, as a revision would write them, without the place in the tree."""
    values = json.loads(page.to_json())
    return {name: value for name, value in values.items() if name not in ROW}


def _reverse(name: str, *args: Any) -> str:
    from django.urls import reverse

    return str(reverse(name, args=args))


def _why() -> str:
    lines = traceback.format_exc().strip().splitlines()
    return " | ".join([*lines[-5:-1], lines[-1]])


if __name__ == "__main__":
    sys.exit(main())
