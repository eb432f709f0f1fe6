"""What is asked: numbers with their origin, the options of the loss, and how they are cut into blocks."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from xentcli.errors import InputError, UsageError
from xentcli.numbers.arrays import check_type, own_dtype, stored_dtype
from xentcli.numbers.checksum import Checksums
from xentcli.numbers.given import GIVEN, Form, Given
from xentcli.numbers.precision import PRECISIONS
from xentcli.numbers.tensors import as_floats, as_tensor, promoted
from xentcli.question.binary import Paired, two_classes
from xentcli.question.block import Block, Formats
from xentcli.question.fitting import fitted, is_labels
from xentcli.question.head import Head
from xentcli.question.hidden import Projected, check_formats, projected, refuse_without
from xentcli.question.shares import (
    FEW,
    GIVEN_LIMITS,
    GIVEN_LOOKS,
    LOOKS,
    REMEDIES,
    add_up,
    beyond_shares,
    faulty_share,
    guessed,
    likeness,
    outside,
)
from xentcli.question.shifted import Cut, next_tokens
from xentcli.question.transform import Transform, check_range, refuse_beside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.numbers.arrays import Array, Blur, Values
    from xentcli.question.share import RowRange

Reduction = Literal["mean", "sum", "none"]

IGNORE_INDEX = -100  # torch's default
WHOLE_BYTES = 64 << 20  # of logits and target: up to here they are in memory, and torch's own reduction is called
LABEL_BYTES = 8  # of a label as torch wants it
BLOCK_BYTES = 32 << 20  # logits that are read at once
BLOCK_SAMPLES = 1 << 17  # where there are few classes, what is made of each sample must stay in the cache
KEPT_BYTES = 64 << 20  # of a streamed input's samples, what torch adds: that much is kept for its own total
CALL_BYTES = 8 << 20  # logits that a device gets in one call: what it computes takes longer than asking for it
HEAD_SAMPLES, HEAD_LOGITS = 1 << 14, 1 << 22  # what is looked at closely


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `torch.nn.functional.cross_entropy`, with its defaults, and how it is called."""

    weight: Array | None = None  # [classes]
    ignore_index: int = IGNORE_INDEX
    label_smoothing: float = 0.0
    reduction: Reduction = "mean"
    class_axis: int | None = None  # None is torch's: 1, or 0 for one dimension
    dtype: str | None = None  # None is the file's
    device: str = "cpu"
    input: Given = "logits"  # what the numbers are
    binary: bool = False  # one logit a sample
    pos_weight: float | None = None  # of label 1, where they are binary
    shift: bool = False  # the labels are the inputs of a language model: each position predicts the next one
    temperature: float | None = None  # that the logits are divided by
    softcap: float | None = None  # that they are bent to stay within, afterwards
    z_loss: float | None = None  # Z: each sample's loss gains Z·logsumexp²
    head: Array | None = None  # [classes, width], that hidden states are multiplied with to make the logits
    bias: Array | None = None  # [classes], that is added to the product

    def __post_init__(self) -> None:
        if not 0.0 <= self.label_smoothing <= 1.0:
            raise UsageError("label_smoothing is out of range", found=str(self.label_smoothing), expected="0 to 1")
        if self.reduction not in {"mean", "sum", "none"}:
            raise UsageError("unknown reduction", found=str(self.reduction), expected="mean, sum or none")
        if self.dtype is not None and self.dtype not in PRECISIONS:
            raise UsageError("unknown dtype", found=str(self.dtype), expected=", ".join(PRECISIONS))
        if self.input not in GIVEN:
            raise UsageError("unknown input", found=str(self.input), expected=", ".join(GIVEN))
        self._check_binary()
        self._check_of_logits()
        refuse_without(self.head, self.bias, self._not_logits + [f"--device {self.device}"] * (self.device != "cpu"))
        if not -(2**63) <= self.ignore_index < 2**63:
            raise UsageError(
                "ignore_index is out of range",
                found=str(self.ignore_index),
                expected=f"{-(2**63)} to {2**63 - 1}, as torch's labels are",
            )
        check_device(self.device)

    @property
    def transform(self) -> Transform | None:
        """What is done to the logits before the loss is taken; None where nothing is."""
        return Transform.of(self.temperature, self.softcap)

    @property
    def of_logits(self) -> dict[str, float | None]:
        """What is asked of the logits besides, or instead, that nothing else has; None where it is not."""
        return {"--temperature": self.temperature, "--softcap": self.softcap, "--z-loss": self.z_loss}

    def _check_of_logits(self) -> None:
        """UsageError for numbers out of range, what only logits have, and a z-loss on which kernels do not agree."""
        for name, value in self.of_logits.items():
            if value is not None:
                check_range(name.removeprefix("--"), value)
        refuse_beside(self.of_logits, self._not_logits)
        if self.z_loss is not None and self.weight is not None:
            raise UsageError(
                "kernels do not agree on a z-loss beside class weights: some weigh it, some do not",
                found="--z-loss beside --weight",
                hint="leave --weight out, or --z-loss",
            )

    @property
    def _not_logits(self) -> list[str]:
        """The options that say that the numbers are something else."""
        return ["--binary"] * self.binary + [f"--input {self.input}"] * (self.input != "logits")

    def _check_binary(self) -> None:
        """UsageError for options that binary_cross_entropy_with_logits does not have, or has alone."""
        if self.pos_weight is not None and not (self.binary and math.isfinite(self.pos_weight)):
            found = f"--pos-weight {self.pos_weight}" + " without --binary" * (not self.binary)
            raise UsageError(
                "pos_weight is the finite weight of label 1 of a binary loss", found=found, hint="--binary"
            )
        others = {
            "--weight": self.weight is not None,
            "--ignore-index": self.ignore_index != IGNORE_INDEX,
            "--label-smoothing": self.label_smoothing != 0.0,
            "--class-axis": self.class_axis is not None,
            "--input": self.input != "logits",
            "--shift": self.shift,
        }
        if self.binary and any(others.values()):
            raise UsageError(
                "the binary loss of one logit a sample has no such option",
                found=f"--binary and {', '.join(name for name, given in others.items() if given)}",
                expected="--pos-weight X for the weight of label 1; y between 0 and 1 for smoothed labels",
            )


@dataclass(frozen=True, eq=False)
class Problem:
    """Logits, their target and the options: checked against each other when it is made."""

    logits: Array
    target: Array
    options: Options
    block_bytes: int = BLOCK_BYTES
    in_parts: bool = False  # computed as parts that are added up later, so its totals are streamed whatever its size
    compared: bool = False  # what is read is compared with what others read by the same name
    digested: bool = False  # the report says of which bytes it is

    def __post_init__(self) -> None:
        if self.block_bytes < 1:
            raise UsageError("block_bytes is out of range", found=str(self.block_bytes), expected="1 or more")
        if not self.logits.ndim:
            raise InputError("the logits are a single number", at=self.logits.path, expected="at least one dimension")
        self._pair()
        self._shift()
        self._project()
        if not self.classes:
            raise InputError(
                "the logits have no classes", at=self.logits.path, found=f"shape {self.logits.described()}"
            )
        check_type(self.logits, self.options.dtype)
        object.__setattr__(self, "target", fitted(self.logits, self.target, self.class_axis))
        _check_weight(self.options.weight, self.classes)
        _check_formats(self)
        check_formats(self.logits, self.options.dtype)
        _check_cast(self.options.weight, self.formats.weight)
        self._check_quantised()
        if not self.has_labels and self.options.ignore_index >= 0:
            raise UsageError(
                "ignore_index does not go with target probabilities",
                found=f"--ignore-index {self.options.ignore_index}, and probabilities in {self.target.path}",
                hint="give a sample that shall not count a row of zeros",
            )

    def _check_quantised(self) -> None:
        """UsageError for options of other logits than those that were quantised."""
        if self.logits.blur is not None and self.class_axis != 1:
            raise UsageError(
                "quantised logits have their classes on the last axis",
                found=f"--class-axis {self.options.class_axis}",
                hint="leave --class-axis out",
            )
        if self.logits.blur is not None and self.options.input != "logits":
            raise UsageError("quantised logits are logits", found=f"--input {self.options.input}", hint="leave it out")
        if self.logits.blur is not None:
            refuse_beside(self.options.of_logits, ["logits that were quantised"])

    def _pair(self) -> None:
        """One logit a sample becomes two classes, unless the problem was made of one that had done so."""
        if self.options.binary and not isinstance(self.logits.read, Paired):
            logits, target = two_classes(self.logits, self.target)
            object.__setattr__(self, "logits", logits)
            object.__setattr__(self, "target", target)

    def _shift(self) -> None:
        """Each position predicts the next, unless the problem was made of one in which it does."""
        if self.options.shift and not isinstance(self.logits.read, Cut | Projected):
            logits, target = next_tokens(self.logits, self.target, self.class_axis)
            object.__setattr__(self, "logits", logits)
            object.__setattr__(self, "target", target)

    def _project(self) -> None:
        """Hidden states become logits, unless the problem was made of some that had."""
        options = self.options
        if options.head is not None and not isinstance(self.logits.read, Projected):
            head = Head(options.head, options.bias)
            logits, target = projected(self.logits, self.target, head, options.class_axis)
            object.__setattr__(self, "options", replace(options, class_axis=None))
            self.__dict__.pop("class_axis", None)  # that of the hidden states
            object.__setattr__(self, "logits", logits)
            object.__setattr__(self, "target", target)

    @property
    def product(self) -> Projected | None:
        """How the logits are made of hidden states; None where they are stored."""
        return self.logits.read if isinstance(self.logits.read, Projected) else None

    @property
    def given(self) -> Array:
        """What was given as the logits, or as the hidden states that they are made of."""
        return self.logits if self.product is None else self.product.given

    @property
    def steps(self) -> int:
        """Multiplications and exponentials that all logits take."""
        return self.samples * self.classes * (1 if self.product is None else self.product.width)

    def read_as(self, **how: Any) -> Problem:
        """The same numbers and options, read in other blocks, in parts, or to be compared: values of these fields."""
        return replace(self, **how)

    @property
    def sides(self) -> tuple[Problem, ...]:
        """All that is read together: itself."""
        return (self,)

    @cached_property
    def class_axis(self) -> int:
        """The class axis of the stored logits, counted from the front."""
        dimensions = self.logits.ndim
        axis = self.options.class_axis
        if axis is None:
            return dimensions - 1 if self.options.shift or self.options.head else min(1, dimensions - 1)
        if not -dimensions <= axis < dimensions:
            raise UsageError(
                f"the logits have no axis {axis}",
                found=f"shape {self.logits.described()}",
                expected=f"--class-axis from {-dimensions} to {dimensions - 1}",
            )
        return axis % dimensions

    @property
    def classes(self) -> int:
        return self.logits.shape[self.class_axis]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in their order; none where they have none."""
        names = self.logits.table.names
        return names if len(names) == self.classes else ()

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Every axis but the class axis."""
        return self.logits.shape[: self.class_axis] + self.logits.shape[self.class_axis + 1 :]

    @property
    def samples(self) -> int:
        return math.prod(self.sample_shape)

    @property
    def sample_bytes(self) -> int:
        """What the logits of one sample take, as they are stored; made of hidden states, with their true ones."""
        stored = self.classes * self.logits.kind.itemsize
        return stored if self.product is None else stored + 8 * (self.classes + self.product.width)

    @property
    def dtype(self) -> str:
        """The floating-point format that the paths compute in."""
        return self.options.dtype or stored_dtype(self.logits)

    @cached_property
    def formats(self) -> Formats:
        """The formats that the paths get the numbers in: --dtype, or each input's own; torch promotes probabilities.

        Numbers without a format of their own are taken in the format of what they are multiplied with.
        """
        target = self.dtype if self.has_labels or self.options.binary else self._own_format(self.target) or self.dtype
        terms = promoted(self.dtype, target)
        weight = None if self.has_labels or self.options.weight is None else self._own_format(self.options.weight)
        return Formats(self.dtype, target, weight or terms)  # without weights, theirs changes nothing

    def _own_format(self, array: Array) -> str | None:
        return self.options.dtype or own_dtype(array)

    @cached_property
    def has_labels(self) -> bool:
        """Whether the target holds class indices; else it holds class probabilities."""
        return is_labels(self.target, self.sample_shape)

    @property
    def streamed(self) -> bool:
        """Whether logits and target are more than are in memory at once, so that torch's own reduction has no say."""
        target = LABEL_BYTES if self.has_labels else self.sample_bytes
        whole = self._batch * self._samples_an_entry * (self.sample_bytes + target)
        return self.in_parts or self.product is not None or (self._batch > 1 and whole > WHOLE_BYTES)

    @property
    def keeps_addends(self) -> bool:
        """Whether what `torch.sum` adds of a streamed input is kept, so that the total is its own; parts have none.

        Sums over the classes of probabilities that are stored in another layout are no torch's, as those are moved.
        """
        is_moved = self.class_axis != min(1, self.logits.ndim - 1) and not self.has_labels
        columns = 4 + (self.options.z_loss is not None)
        row = columns * getattr(torch, self.formats.losses).itemsize  # in bytes, at the most
        wanted = self.streamed and not self.in_parts and not is_moved and self.options.reduction != "none"
        wanted = wanted and self.product is None  # torch adds up a product of all rows in another order
        return wanted and self.options.device == "cpu" and self.samples * row <= KEPT_BYTES

    def spans(self, rows: RowRange | None = None) -> Iterator[tuple[int, int]]:
        """The first and the last entry but one of each block, of all rows or of these, in their order; at least one."""
        step = min(self.block_bytes // self._entry_bytes, BLOCK_SAMPLES // self._samples_an_entry)
        step = max(1, step)
        first, end = 0, self._batch
        if rows is not None:
            first, end = rows.start // self._samples_an_entry, rows.stop // self._samples_an_entry
        if self.options.device != "cpu":
            yield from self._whole_calls(step, first, end)
            return
        if self.product is not None:
            yield from pairwise(self.product.cuts(first, max(first, end), step))
            return
        for start in range(first, max(first + 1, end), step):
            yield start, min(start + step, end)

    def _whole_calls(self, step: int, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Blocks of whole calls on a device, which are counted from the first entry of the input."""
        step = self.entries_a_call * max(1, step // self.entries_a_call)
        for start in range(first - first % step, max(first + 1, end), step):
            yield max(start, first), min(start + step, end)

    @property
    def entries_a_call(self) -> int:
        """Entries that a device computes in one call, whatever the blocks: the order of its sums depends on it."""
        return max(1, min(CALL_BYTES // self._entry_bytes, BLOCK_SAMPLES // self._samples_an_entry))

    def blocks(self) -> Iterator[Block]:
        """All samples in their order; at least one block."""
        return (self.block(*span) for span in self.spans())

    def head(self) -> Block:
        """The first samples, as many as are looked at closely, whatever the size of the blocks; logits as stored."""
        entry = self._samples_an_entry * self.classes
        block = self.block(0, max(1, min(HEAD_LOGITS // entry, HEAD_SAMPLES // self._samples_an_entry))).untransformed
        if not self.has_labels:
            self._refuse_scores(block)
        return block

    def block(self, start: int = 0, stop: int | None = None) -> Block:
        """Some entries of torch's batch axis, or all, as the paths compute with them; InputError for wrong labels."""
        stop = self._batch if stop is None else min(stop, self._batch)
        first_row = start * self._samples_an_entry
        logits, stored = self.numbers(start, stop)
        if self.has_labels:
            target = self._labels(stored, first_row)
        else:
            target = as_floats(stored, self.target.path)
            self._check_shares(target, start)
        block = Block(
            as_floats(logits, self.logits.path),
            target,
            self._weight,
            first_row,
            checksums=Checksums.of(logits, stored) if self.in_parts or self.compared or self.digested else None,
            given=self._form,
        )
        self._check_given(block)
        if self.logits.blur is not None:
            block = self._quantised(block, self.logits.blur, start, stop)
        cast = block.cast(self.formats)
        if cast.stored is not None and not self.has_labels and not cast.target.isfinite().all():
            raise self._beyond(cast.target, target)
        if self.product is not None:
            cast = self.product.applied(block, cast, self.dtype, (start, stop))
        return cast.transformed(self.options.transform, self.options.device)

    def numbers(self, start: int, stop: int) -> tuple[Values, Values]:
        """The logits [entries, C, d1, ...] and the target of some entries of torch's batch axis, as they are stored.

        Hidden states, [entries, width], are in the logits' place where these are made of them.
        """
        logits = self._laid_out(self.logits if self.product is None else self.product.hidden, start, stop)
        target = self._stored_labels(start, stop) if self.has_labels else self._laid_out(self.target, start, stop)
        return logits, target

    @property
    def _form(self) -> Form:
        return "binary" if self.options.binary else self.options.input

    def _check_given(self, block: Block) -> None:
        """InputError for a number that is none of what the user says they are, in a sample that counts."""
        given = self.options.input
        if given == "logits":
            return
        counted = torch.ones((), dtype=torch.bool)
        if block.has_labels:
            counted = (block.target != self.options.ignore_index).unsqueeze(block.class_dim)
        place = outside(block.logits, given, counted)
        if place is None:
            return
        value = block.logits[tuple(place)].item()
        dim = block.class_dim
        if block.logits.ndim > 1:
            place[0] += block.first_row // self._samples_an_entry
        across = place[:dim] + place[dim + 1 :]
        row = int(np.ravel_multi_index(tuple(across), self.sample_shape)) if across else 0
        low, high = GIVEN_LIMITS[given]
        raise InputError(
            f"this is no {given.removesuffix('ies')}y",
            at=f"{self.logits.at((*across[: self.class_axis], place[dim], *across[self.class_axis :]))}"
            f" (row {row}, class {place[dim]})",
            found=f"{value:.6g}",
            expected=f"{low:g} to {high:g}" if low == 0.0 else f"at most {high:g}",
            hint=GIVEN_LOOKS[guessed(block.logits[:FEW].double(), dim)],
        )

    def _quantised(self, block: Block, blur: Blur, start: int, stop: int) -> Block:
        """With what is known of the losses before the logits were quantised: more of a label's own than of all."""
        if self.has_labels and not self.options.label_smoothing:
            return replace(block, ends=blur.ends(start, stop, block.target.reshape(-1).numpy()))
        return replace(block, blur=blur.spread(start, stop))

    def _laid_out(self, array: Array, start: int, stop: int) -> Values:
        """Some entries of numbers of the logits' shape, the class axis where torch wants it."""
        batch_axis = 1 if self.class_axis == 0 and array.ndim > 1 else 0
        if array.ndim == 1:  # one sample: its only axis is that of the classes
            start, stop = 0, self.classes
        values = np.moveaxis(array.read(batch_axis, start, stop), self.class_axis, min(1, array.ndim - 1))
        return np.ascontiguousarray(values) if self.streamed else values  # sums of torch depend on the strides

    def _stored_labels(self, start: int, stop: int) -> Values:
        """Some entries of the labels, of the samples' shape; text has them as one column."""
        if not self.sample_shape:
            return self.target.values.reshape(())
        each = 1 if self.target.shape == self.sample_shape else self._samples_an_entry
        return self.target.read(0, start * each, stop * each).reshape(stop - start, *self.sample_shape[1:])

    @property
    def _batch(self) -> int:
        """Entries of torch's batch axis, along which blocks are cut; 1 for one sample alone."""
        return self.sample_shape[0] if self.sample_shape else 1

    @property
    def _samples_an_entry(self) -> int:
        """Samples of one entry; counted as 1 where there are none."""
        return max(1, math.prod(self.sample_shape[1:]))

    @property
    def _entry_bytes(self) -> int:
        return self._samples_an_entry * self.sample_bytes

    @cached_property
    def _weight(self) -> torch.Tensor | None:
        weight, positive = self.options.weight, self.options.pos_weight
        if positive is not None:
            return torch.tensor([1.0, positive], dtype=torch.float64)
        return None if weight is None else as_floats(weight.values.reshape(-1), weight.path)

    def _labels(self, labels: Values, first_row: int) -> torch.Tensor:
        wrong = (labels != self.options.ignore_index) & ~((labels >= 0) & (labels < self.classes))  # NaN is no class
        if labels.dtype.kind == "f":
            wrong |= labels != np.floor(labels)
        if wrong.any():
            raise self._label_error(labels.reshape(-1), first_row, int(np.argmax(wrong.reshape(-1))))
        return torch.from_numpy(labels.astype(np.int64))

    def _check_shares(self, target: torch.Tensor, start: int) -> None:
        """InputError for a probability that is negative, infinite or NaN, wherever it stands."""
        if place := faulty_share(target):
            raise self._no_probabilities(target, place, start)

    def _beyond(self, cast: torch.Tensor, target: torch.Tensor) -> InputError:
        """What --dtype makes infinite."""
        return InputError(
            f"a target probability is beyond {self.formats.target}",
            at=self.target.path,
            found=f"{target[~cast.isfinite()][0].item():.6g}",
            expected=f"less than {float(PRECISIONS[self.formats.target].largest):.6g}",
            hint="probabilities are at most 1: is this another file?",
        )

    def _refuse_scores(self, head: Block) -> None:
        """InputError for probabilities that are none in any row: scores of many sizes, some beyond 1."""
        target = (head.stored or head).target
        if place := beyond_shares(target, head.class_dim):
            raise self._no_probabilities(target, place, 0)

    def _no_probabilities(self, target: torch.Tensor, place: list[int], start: int) -> InputError:
        """What the target looks like, where that is seen, and what to give instead."""
        value = target[tuple(place)].item()
        if target.ndim > 1:
            place[0] += start
        dim = min(1, target.ndim - 1)
        across = place[:dim] + place[dim + 1 :]
        row = int(np.ravel_multi_index(tuple(across), self.sample_shape)) if across else 0
        stored = [*across[: self.class_axis], place[dim], *across[self.class_axis :]]
        looks = likeness(target.double(), dim) if math.isfinite(value) else "none"
        return InputError(
            LOOKS[looks],
            at=f"{self.target.at(tuple(stored))} (row {row})",
            found=f"{value:.6g}",
            expected="probabilities, from 0 to 1, or labels: integers, one a sample",
            hint=self._remedy(looks),
        )

    def _remedy(self, looks: str) -> str:
        """What makes probabilities of the target, or the command with the files the other way round."""
        logits = as_floats(self._laid_out(self.logits, 0, min(FEW, self._batch)), self.logits.path)
        if logits.amin() >= 0.0 and add_up(logits.double(), min(1, logits.ndim - 1)):
            files = f"{shlex.quote(self.target.path)} {shlex.quote(self.logits.path)}"
            return f"the logits look like probabilities: are the two swapped? xent compute {files}"
        if self.target.path == self.logits.path:
            return "this is the file of the logits: give that of the labels"
        return REMEDIES[looks].format(axis=self.class_axis)

    def _label_error(self, labels: Values, first_row: int, offset: int) -> InputError:
        row, label = first_row + offset, labels[offset].item()
        index = tuple(int(i) for i in np.unravel_index(row, self.target.shape)) if self.target.shape else ()
        at = f"{self.target.at(index)} (row {row})"
        if not float(label).is_integer():
            return InputError(f"label {label} is not a class index", at=at, expected="an integer")
        classes = f"the logits have {self.classes} classes, 0 to {self.classes - 1}"
        hint = (
            "labels that start at 1? subtract 1" if label == self.classes else f"padding? --ignore-index {int(label)}"
        )
        return InputError(f"label {int(label)} is out of range: {classes}", at=at, hint=hint)


def _check_formats(problem: Problem) -> None:
    """InputError for class weights that torch refuses; it multiplies the label's log-probability with none but its own.

    Without labels it promotes them, and next to logits that have no format of their own they are read as the logits.
    """
    weight, logits = problem.options.weight, own_dtype(problem.logits)
    if weight is None or logits is None or problem.options.dtype is not None or not problem.has_labels:
        return
    found = own_dtype(weight)
    if found not in {None, logits}:
        raise InputError(
            "torch refuses class weights of another dtype than the logits'",
            at=weight.path,
            found=f"{found}, for {logits} logits in {problem.logits.path}",
            expected=f"{logits}; a cast is reported with what it moves",
            hint=f"--dtype {logits}",
        )


def _check_weight(weight: Array | None, classes: int) -> None:
    if weight is None:
        return
    check_type(weight, None)
    if math.prod(weight.shape) != classes or sum(size > 1 for size in weight.shape) > 1:
        raise InputError(
            "the class weights do not fit the logits",
            at=weight.path,
            found=f"shape {weight.described()}",
            expected=f"{classes} numbers, one a class",
        )
    finite = as_tensor(weight.values).isfinite().numpy()
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise InputError("a class weight is not finite", at=weight.at(index), found=str(weight.values[index]))


def _check_cast(weight: Array | None, dtype: str) -> None:
    """InputError for a weight that the format it is cast to cannot hold."""
    if weight is None:
        return
    cast = as_floats(weight.values, weight.path).to(getattr(torch, dtype))
    if not cast.isfinite().all():
        index = tuple(int(i) for i in np.argwhere(~cast.isfinite().numpy())[0])
        raise InputError(
            f"a class weight is beyond {dtype}",
            at=weight.at(index),
            found=str(weight.values[index]),
            expected=f"less than {float(PRECISIONS[dtype].largest):.6g}",
            hint="divide all weights by the greatest one: a mean stays what it is",
        )


def check_device(device: str) -> None:
    """UsageError for a device that torch does not find here."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device not in available:
        raise UsageError("unknown device", found=device, expected=", ".join(available))
    if not available[device]:
        raise UsageError(f"torch finds no {device} device here", hint="leave --device out to compute on the CPU")
