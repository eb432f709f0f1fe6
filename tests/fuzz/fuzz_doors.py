"""How each form comes in: the reader that the command would take, and all numbers that it gives."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from xentcli.cli.main import xent as group
from xentcli.cli.settings import defaults_of, found_settings
from xentcli.comparing.partial import read_pair_partial
from xentcli.conform.asking.channel import GarbledError, _parsed
from xentcli.conform.cases.files import read_answer
from xentcli.conform.xfail import read_expected
from xentcli.errors import UsageError, XentError
from xentcli.question.policy import Policy
from xentcli.question.problem import Options, Problem
from xentcli.running.engine import run
from xentcli.running.merging import check_whole, merged, merged_report
from xentcli.running.reading import read_partial
from xentcli.running.saved import forgery_told
from xentcli.sources.names import check_names, local_names
from xentcli.sources.open import open_array, open_pair
from xentcli.sources.pairs import open_inputs

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from xentcli.numbers.arrays import Array

CASES = ["plain", "smoke/one", "smoke/two", "generated"]
MOST_READ = 64 << 20  # bytes of an array that are read at once; of a larger one, its first entries
MOST_RUN = 4096  # numbers of which the loss is computed, too
RUN_SHARE = 0.02


def _read(array: Array) -> None:
    """All numbers, along each axis, and where the last one stands."""
    each = array.kind.itemsize * math.prod(array.shape[1:])
    for axis in (0, 1)[: max(1, array.ndim)]:
        entries = array.shape[axis] if array.shape else 1
        if axis == 0:
            entries = min(entries, max(1, MOST_READ // max(1, each)))
        elif each * array.shape[0] > MOST_READ:
            return
        array.read(axis, 0, entries)
    str(array.at(tuple(size - 1 for size in array.shape))) if all(array.shape) else array.described()
    if array.blur is not None:
        array.blur.spread(0, min(array.shape[0], 64))


def _arrays(path: Path, rng: random.Random) -> None:
    """As one that holds the logits and the labels, or the logits alone; and now and then the loss of what came."""
    name = str(path)
    try:
        pair = open_pair(name, "label" if rng.random() < 0.3 else None)
    except UsageError:
        _read(open_array(name, rng.choice(("logits", "labels", "weight"))))
        return
    for array in pair:
        _read(array)
    if rng.random() < RUN_SHARE and math.prod(pair[0].shape) <= MOST_RUN:
        _run(open_inputs(name, None, None, column=None))


def _run(pair: tuple[Array, Array]) -> None:
    run(Problem(*pair, Options()), Policy(reference="fast"), threads=1)


def _manifest(path: Path, _rng: random.Random) -> None:
    name = f"@{path}"
    check_names(name)
    for file in local_names(name).files[:20]:
        if Path(file).suffix == ".npy":
            open_array(file)


def _partial(path: Path, _rng: random.Random) -> None:
    partial = read_partial(str(path))
    with suppress(XentError):
        check_whole(partial)
    merged([(str(path), partial)])
    merged_report(partial, None).to_dict()
    assert b"".join(partial.pieces())


def _comparison(path: Path, _rng: random.Random) -> None:
    partial = read_pair_partial(str(path))
    with suppress(XentError):
        check_whole(partial)
    total = merged([(str(path), partial)])
    with forgery_told(str(path)):
        total.report().to_dict()
    assert b"".join(total.pieces())


def _settings(path: Path, _rng: random.Random) -> None:
    defaults_of(group, *found_settings(path.parent))


def _expected(path: Path, _rng: random.Random) -> None:
    read_expected(str(path), CASES)


def _answer(path: Path, _rng: random.Random) -> None:
    with suppress(ValueError):
        read_answer(path.parent, path.name, 1 << 20)


def _line(path: Path, _rng: random.Random) -> None:
    with suppress(GarbledError):
        json.dumps(_parsed(path.read_bytes()))


DOORS: dict[str, Callable[[Path, random.Random], None]] = {
    "manifest": _manifest,
    "partial": _partial,
    "partial with rows": _partial,
    "partial of a comparison": _comparison,
    "settings": _settings,
    "expected failures": _expected,
    "answer": _answer,
    "answer's line": _line,
}


def give(form: str, path: Path, rng: random.Random) -> None:
    """Give it to its reader; XentError is how it should end, if not well."""
    with suppress(XentError):
        DOORS.get(form, _arrays)(path, rng)
