"""Logits and labels of any number of files, matched by order and count."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError, MissingLabels, UsageError
from xentcli.numbers.arrays import in_memory
from xentcli.question.fitting import CLASS_AXIS, check_classes
from xentcli.sources.beside import check_own_labels
from xentcli.sources.files import count, excerpt, split_key
from xentcli.sources.kept import first_classes
from xentcli.sources.matching import in_order
from xentcli.sources.names import check_counts, is_elsewhere, local_names
from xentcli.sources.open import open_array, open_pair
from xentcli.sources.remote import remote_names
from xentcli.sources.shards import Files, join, others
from xentcli.sources.tabular import DEFAULT
from xentcli.sources.tabular import joined as listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.numbers.arrays import Array
    from xentcli.sources.named import NamedInputs, NamedSides
    from xentcli.sources.names import Names
    from xentcli.sources.shards import Shard
    from xentcli.sources.tabular import Tabular

FIRST_ROWS = 4096  # of labels, that tell which column is theirs
HEADER_NOTE = "its first line counts the columns, and is taken for a header, as the other file is one line shorter"


def open_named(inputs: NamedInputs) -> tuple[Array, Array]:
    """The logits and their target; errors as of `open_inputs`."""
    column, key, table = inputs.label_column, inputs.key, inputs.table
    kind = {"binary": inputs.binary, "hidden": inputs.head is not None}
    return open_inputs(inputs.logits, inputs.labels, inputs.class_axis, column=column, key=key, table=table, **kind)


def open_inputs(
    logits: str,
    labels: str | None,
    class_axis: int | None,
    *,
    column: str | None = None,
    key: str | None = None,
    table: Tabular = DEFAULT,
    binary: bool = False,
    hidden: bool = False,
    is_matched: bool = False,
) -> tuple[Array, Array]:
    """The logits and their target; each name may stand for several files, which are joined along torch's batch axis.

    labels      None where the files of the logits hold them, too
    class_axis  of the stored logits; None is torch's
    column      where the labels stand in a table: that of the labels, or that of the logits where it holds both
    key         the name of the logits in files that hold several arrays
    table       how tables are read
    binary      whether both hold one number a sample, so that no axis is that of the classes
    hidden      whether the logits' files hold hidden states, whose last axis is not that of the classes
    is_matched  whether the rows are those of further files
    Errors: InputError for files that cannot be read or do not fit together, UsageError for names that make no sense.
    """
    class_axis = CLASS_AXIS if binary else -1 if hidden else class_axis
    if labels is None:
        files, own_key = split_key(logits)  # the labels are not in the array that the name ends with
        opened = partial(open_pair, column=column, key=own_key or key, table=table, is_matched=is_matched)
        pair = _both(names_of(files), opened, class_axis)
    else:
        pair = _pair(names_of(logits), names_of(labels), Asked(class_axis, column, key, table))
    if binary or hidden:
        return pair
    check_classes(*pair, class_axis)
    return _named(pair[0], class_axis, table), pair[1]


def open_base(
    logits: str, labels: str | None, class_axis: int | None, *, column: str | None = None, table: Tabular = DEFAULT
) -> tuple[Array, Array | None]:
    """The logits, and the labels: of their own file, of the logits', or None where that holds none."""
    try:
        return open_inputs(logits, labels, class_axis, column=column, table=table, is_matched=True)
    except MissingLabels as missing:
        if column is not None:
            raise
        try:
            return _named(open_logits(logits, class_axis, table=table), class_axis, table), None
        except InputError as error:
            raise (missing if missing.details["hint"].startswith("--label-column") else error) from error


def open_beside(
    base: Array, logits: str, class_axis: int | None, table: Tabular = DEFAULT, *, column: str | None = None
) -> Array:
    """Other logits of the same rows and classes, as far as the tables of both say which these are.

    column  of the labels in the base's table, which the other may have as well

    Errors: InputError for rows or columns in another order than the base's; --join puts the rows in its order.
    """
    other = open_logits(logits, class_axis, table=table, labels_beside=column or "")
    ours, theirs = base.table.names, other.table.names
    if ours != theirs and set(ours) == set(theirs):
        raise UsageError(
            "the columns of both files are in another order",
            at=f"{base.path} and {other.path}",
            found=excerpt(", ".join(theirs), 70),
            expected=excerpt(", ".join(ours), 70),
            hint=f"--columns {quote(listed(ours))}",
        )
    return in_order(base, other, table.join, "the other")[1]


def open_sides(named: NamedSides) -> tuple[Array, Array | None, list[Array]]:
    """The base, the labels where there are any, and the other sides, of which a floor's file is the last."""
    axis, table = named.class_axis, named.table
    base, labels = open_base(named.base, named.labels, axis, column=named.column, table=table)
    names = (*named.others, *(() if named.floor is None else (named.floor,)))
    sides = [base, *(open_beside(base, name, axis, table, column=named.column) for name in names)]
    if labels is not None and not table.join:
        for name, side in zip((named.base, *names), sides, strict=True):
            check_own_labels(labels, side, name, named.column, table)
    if named.first_classes is not None:
        sides = [first_classes(side, axis, named.first_classes) for side in sides]
    base, *others = sides
    return base, labels, others


def open_logits(
    logits: str,
    class_axis: int | None,
    key: str | None = None,
    table: Tabular = DEFAULT,
    *,
    labels_beside: str | None = None,
) -> Array:
    """Logits alone, of one file or of several; arguments and errors as of `open_inputs` and `open_array`."""
    names, asked = names_of(logits), Asked(class_axis, None, key, table, labels_beside)
    if len(names) == 1:
        return asked.logits(names.files[0])
    files = Files(names, lambda path: (asked.logits(path),))
    return join(files, 0, _batch_axis(_class_axis(files.shards[0], class_axis)))


def names_of(name: str) -> Names:
    """The files that a name stands for, here or behind an address."""
    return remote_names(name) if is_elsewhere(name) else local_names(name)


@dataclass(frozen=True)
class Asked:
    """How both are read."""

    class_axis: int | None
    column: str | None
    key: str | None
    table: Tabular
    labels_beside: str | None = None

    def logits(self, path: str) -> Array:
        """One file of the logits."""
        return open_array(path, "logits", self.key, table=self.table, labels_beside=self.labels_beside)

    def labels(self, path: str, names: tuple[str, ...]) -> Array:
        """One file of labels, which may be names of classes."""
        classes = self.table.classes or names
        return open_array(path, "labels", column=self.column, table=replace(self.table, classes=classes))


def _both(names: Names, open_file: Callable[[str], tuple[Array, Array]], class_axis: int | None) -> tuple[Array, Array]:
    """Of files that hold the logits and the labels."""
    if len(names) == 1:
        return open_file(names.files[0])
    files = Files(names, open_file)
    logits, labels = files.shards
    axis = _class_axis(logits, class_axis)
    return join(files, 0, _batch_axis(axis)), join(files, 1, _label_axis(logits, labels, axis))


def _pair(logits: Names, labels: Names, asked: Asked) -> tuple[Array, Array]:
    """Of files for each."""
    check_counts(len(logits), len(labels), f"{logits.given} and {labels.given}")
    if len(logits) == 1:
        first = asked.logits(logits.files[0])
        pair = _headers_off(first, asked.labels(labels.files[0], first.table.names), asked.class_axis)
        _check_columns(*pair)
        _refuse_columns(*pair, asked.class_axis)
        return in_order(*_upright(*pair, asked.class_axis), asked.table.join)
    files = Files(logits, lambda path: (asked.logits(path),))
    axis = _class_axis(files.shards[0], asked.class_axis)
    names = files.shards[0][0].table.names
    if len(labels) == 1:
        joined = join(files, 0, _batch_axis(axis))
        return in_order(*_headers_off(joined, asked.labels(labels.files[0], names), axis), asked.table.join)
    target = Files(labels, lambda path: (asked.labels(path, names),))
    for number, shards in enumerate(zip(files.shards[0], target.shards[0], strict=True)):
        for held, headed in zip((files, target), _headers(*shards, axis), strict=True):
            held.without_first(number, HEADER_NOTE * headed)
    joined = join(files, 0, _batch_axis(axis))
    both = joined, join(target, 0, _label_axis(files.shards[0], target.shards[0], axis))
    return in_order(*both, asked.table.join)


def _headers_off(logits: Array, target: Array, class_axis: int | None) -> tuple[Array, Array]:
    """Both without a first row that counts the columns where the other file's length tells that it is a header."""
    ours, theirs = _headers(logits, target, class_axis)
    if ours:
        logits = logits.without_first().noted(HEADER_NOTE)
    if theirs:
        target = target.without_first().noted(HEADER_NOTE)
    return logits, target


def _check_columns(logits: Array, target: Array) -> None:
    """UsageError for target probabilities whose columns are the classes in another order."""
    ours, theirs = logits.table.names, target.table.names
    if ours != theirs and set(ours) == set(theirs):
        raise UsageError(
            "the columns of both files are in another order",
            at=f"{logits.path} and {target.path}",
            found=excerpt(", ".join(theirs), 70),
            expected=excerpt(", ".join(ours), 70),
            hint=f"--columns {quote(listed(theirs))}",
        )


def _refuse_columns(logits: Array, target: Array, class_axis: int | None) -> None:
    """UsageError for a table of labels with other columns beside them, where one column alone may hold these."""
    axis = _axis(logits.shape, class_axis)
    if target.typed or target.ndim != 2 or logits.ndim != 2 or axis not in {0, 1} or target.shape[1] < 2:
        return
    classes, samples = logits.shape[axis], logits.shape[1 - axis]
    first = target.read(0, 0, min(target.shape[0], FIRST_ROWS))
    whole = np.isfinite(first).all() and not (first % 1).any()
    if target.shape[0] != samples or (target.shape == logits.shape and not (whole and (first > 1).any())):
        return
    fitting = np.flatnonzero((first % 1 == 0).all(axis=0) & (first >= 0).all(axis=0) & (first < classes).all(axis=0))
    if len(fitting) == 1:
        column = int(fitting[0])
        raise UsageError(
            "more than one column, of which one alone may hold the labels",
            at=target.path,
            found=f"shape {target.described()}, for {count(samples, 'sample')}",
            expected=f"numbers from 0 to {classes - 1}: those of column {column}, counted from 0",
            hint=f"--label-column {quote(target.table.names[column] if target.table.names else str(column))}",
        )


def _upright(logits: Array, target: Array, class_axis: int | None) -> tuple[Array, Array]:
    """The labels below each other, where a text has those of all samples on one line."""
    axis = _axis(logits.shape, class_axis)
    samples = math.prod(size for other, size in enumerate(logits.shape) if other != axis)
    if target.typed or samples < 2 or target.shape != (1, samples) or target.shape == logits.shape:
        return logits, target

    def place(index: tuple[int, ...]) -> str:
        return target.place((0, *index[:1]))

    shape, kind, read = in_memory(target.values.reshape(samples, 1))
    return logits, replace(target, shape=shape, kind=kind, read=read, place=place)


def _headers(logits: Array | Shard, target: Array | Shard, class_axis: int | None) -> tuple[bool, bool]:
    """Of each file, whether its first row that counts the columns is a header, as the other's length tells.

    Errors: UsageError where both files may begin so, and their lengths fit either way.
    """
    axis, dimensions = _axis(logits.shape, class_axis), len(logits.shape)
    if not (logits.headed or target.headed) or axis not in range(dimensions):
        return False, False
    samples = math.prod(size for other, size in enumerate(logits.shape) if other != axis)
    if target.headed and target.shape[0] == samples + 1:
        return False, True
    if logits.headed and target.shape[0] == samples - 1:
        return True, False
    if logits.headed and target.headed and samples > 1:
        raise UsageError(
            "the first line of both files may be a header or numbers",
            at=f"{logits.path} and {target.path}, line 1",
            found=f"0 to {logits.shape[-1] - 1} above whole numbers, and 0 above labels",
            hint="give the columns names, or write the logits with a point: 0.0",
        )
    return False, False


def _named(logits: Array, class_axis: int | None, table: Tabular) -> Array:
    """The logits, their classes called as the user names them.

    Errors: UsageError for another number of names, or for those of the header in another order.
    """
    axis, names = _axis(logits.shape, class_axis), table.classes
    if axis not in range(logits.ndim):
        return logits
    if axis != logits.ndim - 1:  # the columns of a table are no classes then
        logits = replace(logits, table=replace(logits.table, names=()))
    if not names:
        return logits
    if len(names) != logits.shape[axis]:
        raise UsageError(
            "--classes does not fit the logits",
            at=logits.path,
            found=count(len(names), "name"),
            expected=f"{logits.shape[axis]:,}, one for each class",
        )
    if logits.table.names != names and set(logits.table.names) == set(names):
        raise UsageError(
            "--classes has the names of the columns in another order",
            at=logits.path,
            found=excerpt(", ".join(names), 70),
            expected=excerpt(", ".join(logits.table.names), 70),
            hint=f"--columns {quote(listed(names))}",
        )
    return replace(logits, table=replace(logits.table, names=names))


def _class_axis(shards: Sequence[Shard], given: int | None) -> int:
    """Counted from the front; one that the shards do not have is refused when the problem is made."""
    return _axis(shards[0].shape, given)


def _axis(shape: Sequence[int], given: int | None) -> int:
    dimensions = len(shape)
    return min(1, dimensions - 1) if given is None else given + dimensions * (given < 0)


def _batch_axis(class_axis: int) -> int:
    """The first axis of samples, which one sample alone does not have."""
    return 1 if class_axis == 0 else 0


def _label_axis(logits: Sequence[Shard], labels: Sequence[Shard], class_axis: int) -> int:
    """The axis to join the labels along; InputError where a file has not as many as its logits have samples."""
    axis, first, target = _batch_axis(class_axis), logits[0].shape, labels[0]
    is_column = not target.typed and target.shape[1:] == (1,)  # text has the labels of all samples in one
    is_like_logits = (
        not is_column and len(target.shape) == len(first) and others(target.shape, axis) == others(first, axis)
    )
    label_axis = axis if is_like_logits else 0
    each = math.prod(size for other, size in enumerate(first) if other not in {axis, class_axis}) if is_column else 1
    for shard, own in zip(logits, labels, strict=True):
        expected = shard.shape[axis] * each
        if own.shape[label_axis : label_axis + 1] != (expected,):
            raise InputError(
                "a shard's labels do not match its logits",
                at=own.path,
                found=f"shape {own.shape}",
                expected=f"{count(expected, 'label')}, as {shard.path} has logits of shape {shard.shape}",
            )
    return label_axis
