"""What the user asks of a run besides the loss itself: tolerances, claims, how much to show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from xentcli.errors import UsageError
from xentcli.question.grouping import check_by

if TYPE_CHECKING:
    from xentcli.question.claims import Claim
    from xentcli.question.grouping import By, Grouping

# `torch.testing.assert_close`'s own defaults: what --reference off compares the paths with
TESTING_TOLERANCES = {
    "float64": (1e-7, 1e-7),
    "float32": (1.3e-6, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float16": (1e-3, 1e-5),
}


@dataclass(frozen=True)
class Tolerance:
    """|value - true value| may be as much as atol + rtol |true value|."""

    rtol: float
    atol: float

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            if not 0.0 <= value < math.inf:
                raise UsageError(f"{name} is out of range", found=str(value), expected="a finite number, 0 or more")

    def allowed(self, truth: float) -> float:
        """The greatest error allowed next to `truth`."""
        return self.atol + self.rtol * abs(truth)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How the numbers are judged and how much of them is shown."""

    reference: Literal["fast", "exact", "off"] = "fast"
    tolerance: Tolerance | None = None  # None is derived
    digits: int | None = None
    expect: Claim | None = None
    rows: int = 20
    metrics: bool = False  # those that need every row, too
    draws: bool = False  # what a page's pictures are drawn of, as far as the input has it
    bytes: int | str | None = None  # of the text, or a file with those of each row
    expect_bpb: Claim | None = None  # bits per byte that somebody claims
    calibrate: bool = False  # the best temperature too, of inputs of any size
    worst: int = 5  # rows with the highest losses that are shown next to these
    by: tuple[By, ...] = ()  # the metrics of each part of the rows, too
    grouping: Grouping | None = None  # rows that belong together, for standard errors; None where nobody says it
    keeps_allowances: bool = False  # what rounding allows each row, for claims about rows

    @property
    def keeps_scores(self) -> bool:
        """Whether every row keeps what standard errors of groups, and the metrics of parts, are made of."""
        return bool(self.by) or self.grouping is not None

    def __post_init__(self) -> None:
        if self.reference not in {"fast", "exact", "off"}:
            raise UsageError("unknown reference", found=str(self.reference), expected="fast, exact or off")
        if self.reference == "off" and (self.digits is not None or self.expect is not None):
            raise UsageError("digits and claims need the true value", found="--reference off", hint="leave it out")
        if self.reference == "off" and self.metrics:
            raise UsageError("metrics need the true value", found="--reference off", hint="leave it out")
        if isinstance(self.bytes, int) and self.bytes < 1:
            raise UsageError("a text has at least one byte", found=f"--bytes {self.bytes}", expected="1 or more")
        check_by(self.by)
        if self.expect_bpb is not None and self.bytes is None:
            raise UsageError(
                "bits per byte need the bytes", found=f"--expect-bpb {self.expect_bpb.text}", hint="--bytes FILE"
            )
        if self.rows < 0:
            raise UsageError("rows is out of range", found=str(self.rows), expected="0 or more")


def user_tolerance(rtol: float | None, atol: float | None) -> Tolerance | None:
    """The user's tolerance; one number given alone makes the other zero."""
    return None if rtol is None and atol is None else Tolerance(rtol or 0.0, atol or 0.0)
