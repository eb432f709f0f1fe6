"""Where two sets of logits differ, part by part, and what of it a noise floor explains, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xentcli.records.statistic import Statistic  # noqa: TC001 (schemas are made of the types of the fields)

Moved = Literal["file", "base", "other"]
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
class LossPart:
    """Rows of one kind, of one set of logits; the rows of all parts are those that count."""

    name: str
    rows: int
    total: float  # Σ −log p in nats: an exact sum, rounded once; before that, all parts add up to the whole
    loss: Statistic  # mean −log p
    accuracy: Statistic  # of a class, its recall
    share: Statistic | None  # of the total of all parts; None where that is 0 or infinite


@dataclass(frozen=True)
class Grouped:
    """Which rows belong together, as it was said, and how many groups they are."""

    by: str  # N, axis:K, file or the name of a file; "" for the entries of the first axis
    groups: int


@dataclass(frozen=True)
class Top:
    """A class that is among the most probable ones of a row."""

    number: int
    probability: float


@dataclass(frozen=True)
class Tops:
    """The most probable classes of both sides in one row."""

    row: int
    kl: float
    base: tuple[Top, ...]
    other: tuple[Top, ...]


@dataclass(frozen=True)
class Worst:
    """The rows with the greatest KL of those that were seen, at most so many; of equal ones the first."""

    most: int
    rows: tuple[Tops, ...] = ()

    def __add__(self, later: Worst) -> Worst:
        found = sorted((*self.rows, *later.rows), key=lambda each: (-each.kl, each.row))
        return Worst(self.most, tuple(found[: self.most]))


@dataclass(frozen=True)
class Excess:
    """A statistic beside that of the floor."""

    value: float
    floor: Statistic
    excess: (
        Statistic  # how much farther from no difference than the floor; its statistical error is that of paired rows
    )
    within: Within


@dataclass(frozen=True)
class Floor:
    """How far apart noise alone puts two sets of logits, and what is beyond that."""

    name: str  # of the third set, or of the format that one side was rounded to
    of: Moved  # what was moved by the noise: of a format, the side that it moves more
    within: Within  # of the mean KL
    statistics: dict[str, Excess]
