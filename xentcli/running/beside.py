"""What the metrics of a report need beside the rows: which of these belong together, and the bytes they stand for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.errors import InputError
from xentcli.running.bytes import Text, sizes_of, with_bytes
from xentcli.running.grouping import digest_of
from xentcli.running.parts import Kept, layout_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xentcli.measuring.facts import Measured
    from xentcli.question.policy import Policy
    from xentcli.question.share import RowRange
    from xentcli.records.report import Report
    from xentcli.running.grouping import Layout
    from xentcli.running.reporting import About


@dataclass(frozen=True, eq=False)
class Beside:
    """What is asked of the rows that were kept, and the files that say more of each row of the input."""

    policy: Policy
    layout: Layout | None  # None where nobody asks for groups and parts
    sizes: NDArray[np.float64] | None  # the bytes of each row; None where no file has them

    @classmethod
    def of(cls, about: About, policy: Policy) -> Beside:
        """Errors: InputError for files that do not fit the rows, UsageError for rows without such parts."""
        sizes = sizes_of(policy.bytes, about.samples) if isinstance(policy.bytes, str) else None
        return cls(policy, layout_of(about, policy), sizes)

    @property
    def digests(self) -> dict[str, str | None]:
        """SHA-256 of what the files hold, by what that is."""
        groups, sizes = None if self.layout is None else self.layout.ids, self.sizes
        return {
            "groups": None if groups is None else digest_of(groups),
            "bytes": None if sizes is None else hashlib.sha256(sizes.tobytes()).hexdigest(),
        }

    def check(self, before: dict[str, str | None]) -> None:
        """InputError where a file holds something else than before."""
        other = next((name for name, found in self.digests.items() if before[name] != found), None)
        if other is None:
            return
        grouping, policy = self.policy.grouping, self.policy
        paths = {"groups": "" if grouping is None else grouping.path, "bytes": str(policy.bytes)}
        raise InputError(
            f"the {other} are not those that these facts are of", at=paths[other], hint="bring the old file back"
        )

    def told(self, report: Report, measured: Measured, part: RowRange | None = None) -> Report:
        """The report with the errors of groups, the metrics of parts, and bits per byte.

        part  the rows that it is of, where these are not all: the bytes of a whole text say nothing of them
        """
        kept = Kept(measured, self.layout, self.policy)
        report = kept.told(report)
        of_whole_text = isinstance(self.policy.bytes, int)
        if self.policy.bytes is None or not measured.counted or (part is not None and of_whole_text):
            return report
        text = Text.of(measured, self.policy.bytes, self.sizes, kept.groups)
        if part is not None and not text.bytes:
            return report
        return with_bytes(report, text, self.policy)
