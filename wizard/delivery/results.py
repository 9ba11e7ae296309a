"""What the operations on a target hand on; see `wizard.engine.result`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from wizard.engine.result import Result
from wizard.postgres.drift.contents import DatabaseContents
from wizard.postgres.dumps.archive import Archive


@dataclass(frozen=True, kw_only=True)
class Dumped(Result):
    """The dump of the converted database, and what it has to hold.

    `script` is the plain script made from it, for kinds of delivery that need one, with its
    SHA-256 in hexadecimal.
    """

    KEY: ClassVar[str] = "production.dump:"
    archive: Archive
    contents: DatabaseContents
    script: str | None = None
    script_sha256: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the archive and the contents as mappings."""
        return {
            **super().to_json(),
            "archive": self.archive.as_dict(),
            "contents": self.contents.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the result as it stands in the journal."""
        plain = super().from_json(data)
        return replace(
            plain,
            archive=Archive.from_dict(data["archive"]),
            contents=DatabaseContents.from_json(data["contents"]),
        )


@dataclass(frozen=True, kw_only=True)
class Delivered(Result):
    """What a delivery left on its target.

    `kept` is the database that was live before, `oid` which one that is and `baseline` what the
    delivered one held; a kind of delivery that keeps none has '' there, and the path of its
    `safety` dump.
    """

    KEY: ClassVar[str] = "production.deliver:"
    kept: str = ""
    safety: str | None = None
    oid: int | None = None
    baseline: Mapping[str, Any] | None = None
