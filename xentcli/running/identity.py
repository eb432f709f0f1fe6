"""Whether others read the same numbers by the same names, or the same files a while ago."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

from xentcli.numbers.checksum import Checksums
from xentcli.sources.shards import ShardedArray, version

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Array
    from xentcli.question.share import RowRange
    from xentcli.running.inputs import Inputs
    from xentcli.running.passes import Pass

Read = tuple[Checksums, ...]  # of each side

NOTHING = "none"  # the format of an array that stands for labels where there are none
PLACES = 16  # of an array, whose numbers are looked at before any time is spent on it
PLACE_BYTES, ALL_BYTES = 1 << 12, 1 << 24  # what is read at each place, at least; and at all of them, about at most


def arrays_of(problem: Inputs) -> tuple[Array, ...]:
    """All that a run reads, each once; nothing stands for labels that there are not."""
    targets = {id(side.target): side.target for side in problem.sides}
    own = (each for side in problem.sides for each in (side.options.weight, side.options.head, side.options.bias))
    weights = {id(each): each for each in own}
    arrays = (*(side.given for side in problem.sides), *targets.values(), *weights.values())
    return tuple(array for array in arrays if array is not None and array.format != NOTHING)


def file_versions(problem: Inputs) -> tuple[str, ...]:
    """What tells each file of the inputs from every other, and from itself when it is written again.

    A file has the same ones on all machines that share its disk; a copy has others.  Empty for what a server does not
    tell.
    """
    return tuple(_version(name) for array in arrays_of(problem) for name in _names(array))


def digest(array: Array) -> str:
    """SHA-256 of numbers at places that are spread evenly over the array, the first and the last among them.

    A few KiB at each of 16 places; fewer places where one entry of the first axis is many MiB.
    """
    found = hashlib.sha256()
    entries = array.shape[0] if array.shape else 1
    entry_bytes = max(1, math.prod(array.shape[1:]) * array.kind.itemsize)
    run = min(entries, max(1, PLACE_BYTES // entry_bytes))
    places = min(PLACES, max(2, ALL_BYTES // (entry_bytes * max(1, run))))
    for start in sorted({(entries - run) * place // (places - 1) for place in range(places)}):
        found.update(array.read(0, start, start + run).tobytes())
    return found.hexdigest()


def differing(problem: Inputs, rows: RowRange, read: Read, told: Pass | None = None) -> Array | None:
    """The input of which other numbers were read than these rows hold now; None where all are the same.

    Every byte of the rows is read, and nothing computed.
    """
    now, done = [Checksums() for _ in problem.sides], 0
    for start, stop in problem.spans(rows):
        numbers = [side.numbers(start, stop) for side in problem.sides]
        now = [sums + Checksums.of(*own) for sums, own in zip(now, numbers, strict=True)]
        done += len(numbers[0][0]) * math.prod(problem.sample_shape[1:])
        if told:
            told.reached(done)
    for side, found, before in zip(problem.sides, now, read, strict=True):
        name = found.differs(before)
        if name:
            return {"logits": side.logits, "target": side.target}[name]
    return None


def _version(name: str) -> str:
    try:
        return version(name)
    except OSError:  # it is gone, and may come back as another
        return ""


def _names(array: Array) -> tuple[str, ...]:
    return tuple(array.files.paths) if isinstance(array, ShardedArray) else (array.path,)
