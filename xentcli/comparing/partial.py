"""The facts of some rows of a comparison, in a file that is read back exactly.

A line of JSON, which says what the facts are of, and then the rows of each other side as NumPy stores them, one after
the other: every statistic needs the few numbers of all rows, so that they are carried, and not added up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing.about import PairAbout
from xentcli.comparing.facts import PairFacts  # noqa: TC001 (`decode` reads the types of the fields)
from xentcli.comparing.opening import open_pairing
from xentcli.comparing.rows import FIELDS
from xentcli.comparing.run import Wanted, concluded
from xentcli.errors import InputError
from xentcli.numbers.checksum import Checksum
from xentcli.question.problem import Options
from xentcli.question.share import RowRange
from xentcli.records.codec import decode
from xentcli.records.report import PartInfo, Tool
from xentcli.running.grouping import digest_of, ids_of
from xentcli.running.identity import digest
from xentcli.running.reporting import this_tool
from xentcli.running.saved import begins, content_of, first_line, forgery_told, line_of, slices, stored_rows
from xentcli.sources.files import is_stream, opened, pieces
from xentcli.sources.named import NamedSides  # noqa: TC001 (`decode` reads the types of the fields)
from xentcli.sources.stored import LocalFile, check_size, spooled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    from xentcli.comparing.claims import NamedClaim
    from xentcli.comparing.problem import Pairing
    from xentcli.question.share import Share
    from xentcli.records.comparison import Comparison
    from xentcli.records.samples import Rows

    Table = np.ndarray[Any, Any]

KIND = "comparison"
SCHEMA_VERSION = "1.0"
BEGINS = begins(KIND)
ROW = np.dtype(FIELDS)


@dataclass(frozen=True)
class PairAsked:
    """What was asked for: facts add up where all of this is the same."""

    about: PairAbout
    digests: dict[str, str]  # SHA-256 of numbers of each input, that tells other numbers from a copy
    wanted: Wanted

    @classmethod
    def of(cls, pairing: Pairing, wanted: Wanted) -> PairAsked:
        arrays = {"base": pairing.base.logits} | ({"labels": pairing.base.target} if pairing.has_labels else {})
        arrays |= {f"other logits {number}": other.logits for number, other in enumerate(pairing.others, 1)}
        digests = {name: digest(array) for name, array in arrays.items()}
        if wanted.grouping.path:
            digests["groups"] = digest_of(ids_of(wanted.grouping.path, pairing.samples))
        return cls(PairAbout.of(pairing), digests, wanted)


@dataclass(frozen=True)
class PairPartial:
    """The facts of some rows of a comparison."""

    tool: Tool  # what computed them
    asked: PairAsked
    inputs: NamedSides  # from the folder of the run
    rows: RowRange
    facts: PairFacts
    columns: tuple[tuple[str, str], ...] = tuple((name, kind) for name, kind, *_ in ROW.descr)  # of the rows, in order
    schema_version: str = SCHEMA_VERSION

    @classmethod
    def of(cls, asked: PairAsked, inputs: NamedSides, first_row: int, facts: PairFacts) -> PairPartial:
        """What has been computed here of the rows from the first one on."""
        return cls(this_tool(), asked, inputs, RowRange(first_row, first_row + facts.samples), facts)

    @property
    def is_whole(self) -> bool:
        return self.rows == RowRange(0, self.asked.about.samples)

    def followed_by(self, other: PairPartial) -> PairPartial:
        """With the facts of the rows after these."""
        return replace(self, rows=RowRange(self.rows.start, other.rows.stop), facts=self.facts + other.facts)

    def report(self, share: Share | None = None, claims: tuple[NamedClaim, ...] = ()) -> Comparison:
        """The comparison of these rows, with claims about all of them."""
        about, wanted = self.asked.about, replace(self.asked.wanted, claims=claims)
        self._check_groups(wanted.grouping.path)
        part = None if self.is_whole else PartInfo(self.rows, about.samples, str(share) if share else None)
        return concluded(about, wanted, self.facts, self.tool, part=part)

    def _check_groups(self, path: str) -> None:
        """InputError where the file of groups, which is read for the report, is not what it was."""
        if path and digest_of(ids_of(path, self.asked.about.samples)) != self.asked.digests["groups"]:
            raise InputError(
                "the groups are not those that these facts are of", at=path, hint="bring the old file back"
            )

    def reopened(self) -> Pairing:
        """The inputs as they are now, by the names that the run was given."""
        given = self.asked.about.options
        options = Options(ignore_index=given.ignore_index, class_axis=self.inputs.class_axis, input=given.input)
        floor = self.asked.about.floor
        return open_pairing(self.inputs, options, floor=floor, worst=given.worst).read_as(in_parts=True)

    def pieces(self) -> Iterator[bytes]:
        """The file's content: the line of JSON, and the rows."""
        yield line_of(KIND, self)
        for tables in self.facts.tables:
            for table in tables:
                yield from (rows.tobytes() for rows in slices(table))


def read_pair_partial(path: str) -> PairPartial:
    """What `pieces` made; InputError for a file that is not such a partial, or is damaged."""
    with opened(path) as file:
        return pair_partial_in(file, path)


def pair_partial_in(file: BinaryIO, path: str) -> PairPartial:
    """The same of an open file, which may be a pipe; its rows stay where they are."""
    stored = spooled(path, pieces(file)) if is_stream(file) else LocalFile(path, file.fileno())
    line = first_line(stored)
    content = content_of(line, path, KIND, SCHEMA_VERSION)
    with forgery_told(path):
        partial = decode(PairPartial, content, f"{path}: partial")
        _check(partial, path)
        partial = replace(partial, facts=partial.facts.with_tables(_tables(partial, stored, len(line))))
        _check_rows(partial, path)
    return partial


def _check(partial: PairPartial, path: str) -> None:
    """InputError for facts that do not belong to each other."""
    facts, about = partial.facts, partial.asked.about
    if partial.columns != PairPartial.columns:
        raise InputError("this partial has other columns", at=path, hint="compute and merge all with the same xent")
    if not 0 <= partial.rows.start <= partial.rows.stop == partial.rows.start + facts.samples <= about.samples:
        raise InputError("this partial has facts of other rows than it says", at=path, found=str(partial.rows))
    sides, counts = 1 + len(about.others), (len(facts.ranges), len(facts.read), len(facts.sums), len(facts.worst))
    fits = counts == (sides, sides, about.pairs, about.pairs) and about.compared
    sizes = {sums.size for sums in facts.sums}
    if not fits or sizes != {facts.counted * ROW.itemsize}:
        raise ValueError("the facts of each side do not fit")
    wanted = partial.asked.wanted
    if wanted.rows < 0 or wanted.grouping.rows < 0:
        raise ValueError("what was wanted makes no sense")


def _tables(partial: PairPartial, file: LocalFile, start: int) -> tuple[tuple[Rows, ...], ...]:
    """The rows of each other side, read from the file where they are wanted."""
    count, sides = partial.facts.counted, len(partial.facts.sums)
    check_size(file.path, (sides, count), ROW, file.size - start)
    places = (start + number * count * ROW.itemsize for number in range(sides))
    return tuple((stored_rows(file, place, count, ROW),) for place in places)


def _check_rows(partial: PairPartial, path: str) -> None:
    """InputError for rows whose bytes were changed, or that are no rows of this comparison."""
    sums = [Checksum() for _ in partial.facts.sums]
    before, are_told = partial.rows.start - 1, True
    for parts in zip(*(slices(table) for (table,) in partial.facts.tables), strict=True):
        sums = [own + Checksum.of(part) for own, part in zip(sums, parts, strict=True)]
        are_told &= _are_rows(partial, parts, before)
        before = int(parts[0]["row"][-1])
    if tuple(sums) != partial.facts.sums:
        raise InputError("this partial is damaged", at=path, found="rows that are not what their checksum is of")
    if not are_told:
        raise ValueError("rows that do not follow each other")


def _are_rows(partial: PairPartial, parts: tuple[Table, ...], before: int) -> bool:
    """Whether the rows of all sides are the same, follow the one before, and have numbers that a run comes to."""
    rows, labels = parts[0]["row"], parts[0]["label"]
    follow = (np.diff(rows, prepend=before) > 0).all() and rows[-1] < partial.rows.stop
    known = ((labels >= 0) & (labels < partial.asked.about.classes)).all()
    same = all((one[name] == two[name]).all() for one, two in pairwise(parts) for name in ("row", "label"))
    return bool(follow and known and same and all(np.isfinite(part["kl"]).all() for part in parts))
