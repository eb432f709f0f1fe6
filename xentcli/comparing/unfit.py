"""Two sets of logits that do not fit together: what the one is to the other, and what makes them fit."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.tensors import as_tensor
from xentcli.render.numbers import plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xentcli.numbers.arrays import Array

    Floats = NDArray[np.float64]

LOOKED_AT = 64  # entries of the first axis
NEARER = 0.1  # of the distance of other rows is that of rows that belong together


def refuse(base: Array, other: Array, class_axis: int) -> None:
    """InputError for other logits than those of the same rows and classes, which says what fits."""
    shape, own = base.shape, other.shape
    if own == shape:
        return
    at = f"{base.path} and {other.path}"
    found = f"shapes {base.described()} and {other.described()}"
    if len(own) == len(shape):
        rows, theirs = (size[:class_axis] + size[class_axis + 1 :] for size in (shape, own))
        if rows == theirs:
            what, hint = _other_classes(base, other, class_axis)
            raise InputError(what, at=at, found=found, expected="as many classes", hint=hint)
        if sum(a != b for a, b in zip(rows, theirs, strict=True)) == 1:
            what, hint = _other_samples(base, other, class_axis)
            raise InputError(what, at=at, found=found, expected="the same samples in the same order", hint=hint)
    is_target = own == shape[:class_axis] + shape[class_axis + 1 :]
    hint = f"are they labels? --labels {quote(other.path)}, beside other logits" if is_target else ""
    raise InputError("the two have other shapes", at=at, found=found, expected="the same shape", hint=hint)


def _other_classes(base: Array, other: Array, axis: int) -> tuple[str, str]:
    """What is said of the classes that one side has more, and what cuts them off."""
    wide = max((base, other), key=lambda side: side.shape[axis])
    kept = min(base.shape[axis], other.shape[axis])
    more = wide.shape[axis] - kept
    rest = _rows(wide, axis)[:, kept:]
    words = {True: f"the last class of {wide.path} is", False: f"the last {more:,} classes of {wide.path} are"}
    if not np.isfinite(rest).any() and not np.isnan(rest).any():
        return f"the two have other classes: {words[more == 1]} masked, as padding is", f"--first-classes {kept}"
    if (rest == rest[:, :1]).all() and (more > 1 or (rest == rest[:1]).all()):
        return f"the two have other classes: {words[more == 1]} constant, as padding is", f"--first-classes {kept}"
    return "the two have other classes", f"--first-classes {kept}, if the others are padding and these are the same"


def _other_samples(base: Array, other: Array, axis: int) -> tuple[str, str]:
    """Whether the shorter side's rows are those of the longer one from some row on."""
    short, long = sorted((base, other), key=lambda side: side.shape)
    sizes = short.shape[:axis] + short.shape[axis + 1 :], long.shape[:axis] + long.shape[axis + 1 :]
    plain = "is one of them shifted or cut off?"
    if len(sizes[0]) != 1 or axis != 1 or not 0 < sizes[1][0] - sizes[0][0] < LOOKED_AT // 2:
        return "the two have other samples", plain
    first = _distances(short, long, sizes[1][0] - sizes[0][0])
    at = int(np.argmin(first))
    if len(first) < 2 or not first[at] <= NEARER * np.min(np.delete(first, at)):
        return "the two have other samples", plain
    if at == 0:
        more = sizes[1][0] - sizes[0][0]
        what = f"the two have other samples: {long.path} has {plural(more, 'row')} more at its end"
    else:
        what = f"the two have other samples: row 0 of {short.path} is like row {at} of {long.path}"
    return what, _cut(long, at, at + sizes[0][0]) or plain


def _cut(array: Array, start: int, stop: int) -> str:
    """A command that keeps these rows; nothing for files that NumPy alone does not read."""
    if not array.path.endswith(".npy"):
        return ""
    code = f"import numpy; numpy.save('cut.npy', numpy.load({array.path!r})[{start}:{stop}])"
    return f"python -c {quote(code)}"


def _distances(short: Array, long: Array, most: int) -> Floats:
    """How far the shorter side's first rows are from the longer one's, from each of its first rows on."""
    some = _centred(_rows(short, 1)[: LOOKED_AT // 2])
    others = _centred(_rows(long, 1))
    count = min(len(some), len(others) - most)
    found: Floats = np.array([np.abs(some[:count] - others[at : at + count]).mean() for at in range(most + 1)])
    return np.nan_to_num(found, nan=np.inf)


def _centred(rows: Floats) -> Floats:
    centred: Floats = rows - rows.mean(axis=1, keepdims=True)
    return centred


def _rows(array: Array, axis: int) -> Floats:
    """The first rows, [rows, classes]."""
    along = 0 if axis or array.ndim == 1 else 1
    values = as_tensor(array.read(along, 0, min(LOOKED_AT, array.shape[along]))).double().numpy()
    rows: Floats = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
    return rows
