"""Where two sets of logits differ, part by part, and what of it a noise floor explains, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from xentcli.records.comparison import Statistic

Within = Literal["within", "beyond", "open"]  # open: the certified ends of both overlap


@dataclass(frozen=True)
class Part:
    """Rows of one kind; the rows of all parts are those that count, and their shares add up to 1."""

    name: str
    rows: int
    kl: Statistic
    loss_difference: Statistic | None  # None without labels
    same_top: Statistic
    share: Statistic | None  # of the total of KL; None where that is 0


@dataclass(frozen=True)
class Top:
    """A class that is among the most probable ones of a row."""

    number: int
    name: str  # empty where classes have none
    probability: float


@dataclass(frozen=True)
class Excess:
    """A statistic beside that of the floor."""

    value: float
    floor: Statistic
    excess: Statistic  # how much farther from no difference than the floor; its statistical error is that of paired rows
    within: Within


@dataclass(frozen=True)
class Floor:
    """How far apart noise alone puts two sets of logits, and what is beyond that."""

    name: str  # of the third set, or of the format that one side was rounded to
    of: Literal["file", "base", "other"]  # what was moved by the noise: of a format, the side that it moves less
    within: Within  # of the mean KL
    statistics: dict[str, Excess]
