"""Logits and labels of any number of files, matched by order and count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.errors import InputError, UsageError
from xentcli.question.fitting import check_classes
from xentcli.sources.files import count, split_key
from xentcli.sources.names import check_counts, is_elsewhere, local_names
from xentcli.sources.open import open_array, open_pair
from xentcli.sources.remote import remote_names
from xentcli.sources.shards import Files, join, others

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xentcli.numbers.arrays import Array
    from xentcli.sources.names import Names
    from xentcli.sources.shards import Shard


def open_inputs(
    logits: str, labels: str | None, class_axis: int | None, *, column: str | None = None, key: str | None = None
) -> tuple[Array, Array]:
    """The logits and their target; each name may stand for several files, which are joined along torch's batch axis.

    labels      None where the files of the logits hold them, too; then `column` is where they stand in tables
    class_axis  of the stored logits; None is torch's
    key         the name of the logits in files that hold several arrays
    Errors: InputError for files that cannot be read or do not fit together, UsageError for names that make no sense.
    """
    if labels is None:
        files, own_key = split_key(logits)  # the labels are not in the array that the name ends with
        pair = _both(names_of(files), lambda path: open_pair(path, column, own_key or key), class_axis)
    else:
        pair = _pair(names_of(logits), names_of(labels), key, class_axis)
    check_classes(*pair, class_axis)
    return pair


def names_of(name: str) -> Names:
    """The files that a name stands for, here or behind an address."""
    return remote_names(name) if is_elsewhere(name) else local_names(name)


def _both(names: Names, open_file: Callable[[str], tuple[Array, Array]], class_axis: int | None) -> tuple[Array, Array]:
    """Of files that hold the logits and the labels."""
    if len(names) == 1:
        return open_file(names.files[0])
    files = Files(names, open_file)
    logits, labels = files.shards
    axis = _class_axis(logits, class_axis)
    return join(files, 0, _batch_axis(axis)), join(files, 1, _label_axis(logits, labels, axis))


def _pair(logits: Names, labels: Names, key: str | None, class_axis: int | None) -> tuple[Array, Array]:
    """Of files for each."""
    check_counts(len(logits), len(labels), f"{logits.given} and {labels.given}")
    if len(logits) == 1:
        return _headers_off(
            open_array(logits.files[0], "logits", key), open_array(labels.files[0], "labels"), class_axis
        )
    files = Files(logits, lambda path: (open_array(path, "logits", key),))
    axis = _class_axis(files.shards[0], class_axis)
    joined = join(files, 0, _batch_axis(axis))
    if len(labels) == 1:
        return joined, open_array(labels.files[0], "labels")
    target = Files(labels, lambda path: (open_array(path, "labels"),))
    return joined, join(target, 0, _label_axis(files.shards[0], target.shards[0], axis))


def _headers_off(logits: Array, target: Array, class_axis: int | None) -> tuple[Array, Array]:
    """Both without a first row that counts the columns where the other file's length tells that it is a header.

    Errors: UsageError where both files may begin so, and their lengths fit either way.
    """
    axis = _axis(logits.shape, class_axis)
    if not (logits.headed or target.headed) or axis not in range(logits.ndim):
        return logits, target
    samples = math.prod(size for other, size in enumerate(logits.shape) if other != axis)
    if target.headed and target.shape[0] == samples + 1:
        return logits, target.without_first()
    if logits.headed and target.shape[0] == samples - 1:
        return logits.without_first(), target
    if logits.headed and target.headed and samples > 1:
        raise UsageError(
            "the first line of both files may be a header or numbers",
            at=f"{logits.path} and {target.path}, line 1",
            found=f"0 to {logits.shape[-1] - 1} above whole numbers, and 0 above labels",
            hint="give the columns names, or write the logits with a point: 0.0",
        )
    return logits, target


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
