"""The logits of a language model and its inputs: each position predicts the token after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xentcli.errors import InputError, UsageError
from xentcli.numbers.arrays import Array, reshaped, without_ones

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Reader, Values


def next_tokens(logits: Array, target: Array, class_axis: int) -> tuple[Array, Array]:
    """`logits[..., :-1, :]` and `labels[..., 1:]` along the last axis of the samples, read when they are asked for.

    Errors: InputError for labels of another shape than the samples, and for sequences of one position.
    """
    samples = logits.shape[:class_axis] + logits.shape[class_axis + 1 :]
    if logits.blur is not None:
        raise UsageError(
            "the labels of a base file are the tokens after each row already", found="--shift", hint="leave it out"
        )
    if target.shape != samples and without_ones(target.shape) == without_ones(samples):
        target = reshaped(target, samples)
    if target.shape != samples or target.kind.kind not in "iu":
        raise InputError(
            "--shift takes the inputs of the model as labels: a token for each position",
            at=target.path,
            found=f"{target.dtype} of shape {target.described()}",
            expected=f"integers of shape {samples}, for logits of shape {logits.described()}",
            hint="labels that are shifted already? leave --shift out",
        )
    last = len(samples) - 1
    if last < 0 or samples[last] < 2:
        raise InputError(
            "a sequence of one position predicts nothing", at=logits.path, found=f"shape {logits.described()}"
        )
    axis = last + (last >= class_axis)
    return _cut(logits, axis, first=0), _cut(target, last, first=1)


@dataclass(frozen=True, eq=False)
class Cut:
    """The reader of all entries of an axis but one: the last for `first` = 0, and the first for 1."""

    array: Array
    axis: int
    first: int

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        if axis == self.axis:
            return self.array.read(axis, start + self.first, stop + self.first)
        whole = (slice(None),) * self.axis
        kept = slice(self.first, self.first + self.array.shape[self.axis] - 1)
        return self.array.read(axis, start, stop)[(*whole, kept)]


def _cut(array: Array, axis: int, first: int) -> Array:
    def place(index: tuple[int, ...]) -> str:
        return array.place((*index[:axis], index[axis] + first, *index[axis + 1 :]))

    shape = (*array.shape[:axis], array.shape[axis] - 1, *array.shape[axis + 1 :])
    read: Reader = Cut(array, axis, first)
    return replace(array, shape=shape, read=read, place=place, headed=False)
