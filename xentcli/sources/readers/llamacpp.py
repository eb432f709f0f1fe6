"""What llama.cpp's `--kl-divergence-base` writes: the log-probabilities of each scored token in 16 bits.

The layout, all numbers with their low byte first:

    8 bytes   "_logits_"
    int32     n_ctx, the tokens of a chunk; n_vocab, the classes; n_chunk
    int32     the tokens, [n_chunk, n_ctx]
    rows      of the scored tokens, [n_chunk, n_ctx - 1 - n_ctx // 2]; each is
                float32   scale, lowest
                uint16    q, [n_vocab], and one more where n_vocab is odd

The log-probability of class i is `scale * q_i + lowest`.  The rows of a chunk belong to its tokens from `n_ctx // 2`
on, and the label of each is the token after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.sources.stored import Stored
from xentcli.sources.typed import element

if TYPE_CHECKING:
    from xentcli.numbers.arrays import Values
    from xentcli.sources.request import Request
    from xentcli.sources.source import Source
    from xentcli.sources.stored import Bytes

MAGIC_BYTES = 8
HEADER_BYTES = 20
ROW_HEADER = 4  # in units of 16 bits
MOST_CLASSES = 1 << 22
STEPS = 65535
LARGEST_STEP = 1.0  # llama.cpp's are 16 / 65535 at most
# A logit is lowest + scale * q but for half a step and three roundings to float32, each relative to at most 65,535
# steps: of the logit's distance from the lowest, of 1 / scale, and of their product.
HALF_STEP = 0.5 + STEPS * 3.001 * 2.0**-24
FLOAT_ROUNDING = 2.0**-23 * 1.001  # of the product and of the sum that make a stored number a logit again
SUBNORMAL = 2.0**-100  # a row whose scale is subnormal, or 0 by underflow, spans less than this
CLAMPED_SPAN = 15.8  # llama.cpp keeps 16 below the greatest logit, give or take the rounding of logits below a million
SLACK = 2.0**-30  # more than float64 loses in sums over `MOST_CLASSES`


@dataclass(frozen=True)
class Header:
    """The numbers at the start."""

    context: int
    classes: int
    chunks: int

    @property
    def first(self) -> int:
        """The first token of a chunk that is scored."""
        return self.context // 2

    @property
    def rows(self) -> int:
        return self.chunks * (self.context - 1 - self.first)

    @property
    def width(self) -> int:
        """Units of 16 bits in a row."""
        return 2 * ((self.classes + 1) // 2) + ROW_HEADER

    @property
    def tokens_bytes(self) -> int:
        return 4 * self.context * self.chunks

    @property
    def file_bytes(self) -> int:
        return HEADER_BYTES + self.tokens_bytes + 2 * self.rows * self.width


def read(source: Source, request: Request) -> list[Array]:
    """The logits float32 [rows, classes], and the labels int32 [rows]."""
    path = source.path
    names = request.names(("logits", "labels"))
    header = _header(path, source.stream.peek(HEADER_BYTES))
    file = source.anywhere(header.file_bytes)
    if file.size != header.file_bytes:
        raise InputError(
            "the file is cut off" if file.size < header.file_bytes else "the file goes on after its last row",
            at=path,
            found=f"{file.size:,} bytes",
            expected=f"{header.file_bytes:,}, for {header.rows:,} rows of {header.classes:,} classes",
            hint="a full disk? llama.cpp goes on without a word",
        )
    arrays = {"logits": _logits(file, header), "labels": _labels(file, header)}
    if "labels" in names:  # else the labels come from elsewhere, and may be any
        labels = arrays["labels"].values
        arrays["logits"] = replace(arrays["logits"], blur=Blur(_rows(file, header), header.classes, labels))
    return [arrays[name] for name in names]


def _header(path: str, start: bytes) -> Header:
    if len(start) < HEADER_BYTES:
        raise InputError("the file ends within its header", at=path, hint="cut off? save or copy it again")
    context, classes, chunks = (int(number) for number in np.frombuffer(start, "<i4", 3, MAGIC_BYTES))
    if not (context >= 3 and 1 <= classes <= MOST_CLASSES and chunks >= 1):
        raise InputError(
            "the header makes no sense",
            at=path,
            found=f"n_ctx {context}, n_vocab {classes}, n_chunk {chunks}",
            expected=f"at least 3, 1 to {MOST_CLASSES:,}, and at least 1",
        )
    return Header(context, classes, chunks)


def _rows(file: Bytes, header: Header) -> Stored:
    """The rows as they are stored, uint16 [rows, width]."""
    return Stored(file, HEADER_BYTES + header.tokens_bytes, (header.rows, header.width), np.dtype("<u2"))


def _logits(file: Bytes, header: Header) -> Array:
    rows = _rows(file, header)
    return Array(
        (header.rows, header.classes),
        np.dtype("f4"),
        Dequantised(rows, header.classes),
        f"{file.path}:logits",
        "llama.cpp",
        "float32",
        element,
        blur=Blur(rows, header.classes, None),
    )


def _labels(file: Bytes, header: Header) -> Array:
    tokens = Stored(file, HEADER_BYTES, (header.chunks, header.context), np.dtype("<i4"))(0, 0, header.chunks)
    labels = tokens[:, header.first + 1 :].reshape(-1)  # [rows]
    return Array(*in_memory(labels), f"{file.path}:labels", "llama.cpp", "int32", element)


@dataclass(frozen=True, eq=False)
class Dequantised:
    """The reader of the log-probabilities, float32, as llama.cpp itself makes them of the stored numbers."""

    rows: Stored
    classes: int

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        if axis == 1:
            return self(0, 0, self.rows.shape[0])[:, start:stop]
        raw = self.rows(0, start, stop)
        scale, lowest = _scales(self.rows.file.path, raw, start)
        values: Values = scale * _steps(raw, self.classes).astype(np.float32) + lowest
        return values


@dataclass(frozen=True, eq=False)
class Blur:
    """The reader of how far the quantisation may have moved each sample's loss, up or down: float64 [rows].

    Let x be the logits before and y the stored ones, both up to a constant of the row, which no loss sees.  Rounding to
    the nearest step moves each class by e_i = x_i - y_i with |e_i| <= h, where h is half a step and the rounding of the
    float32 arithmetic that makes q of x and y of q.  A class with q = 0 in a row that spans 16 may have been any number
    below that: there, e_i <= h alone.  With p the softmax of y and t the label, whose loss is -log p_t,

        loss(x) - loss(y) = log sum_i p_i exp(e_i - e_t)

    The term of the label is p_t itself; every other exponent is at most 2h, and at least -2h unless it is such a class.
    Their p together is P, so that the difference lies between

        log(1 - (1 - p_t) (1 - exp(-2h)) - P exp(-2h))   and   log(1 + (1 - p_t) (exp(2h) - 1))

    A label that was cut off may have had any loss beyond its own: the distance is infinite.  Where the labels are not
    known, p_t is taken as 0, and the distance is infinite as soon as any class may have been cut off.
    """

    rows: Stored
    classes: int
    labels: Values | None  # [rows]

    def __call__(self, axis: int, start: int, stop: int) -> Values:
        raw = self.rows(axis, start, stop)
        scale, lowest = (column.astype(np.float64) for column in _scales(self.rows.file.path, raw, start))  # [rows, 1]
        steps = _steps(raw, self.classes)  # [rows, classes]
        cut = (steps == 0) & (STEPS * scale >= CLAMPED_SPAN)
        weights = np.exp(scale * (steps - steps.max(axis=1, keepdims=True).astype(np.float64)))
        weights /= weights.sum(axis=1, keepdims=True)
        own, own_cut = self._of_labels(weights, cut, start)
        half = HALF_STEP * scale[:, 0] + FLOAT_ROUNDING * (STEPS * scale + abs(lowest))[:, 0] + SUBNORMAL
        with np.errstate(divide="ignore"):  # all but the label may be cut off
            up = np.log1p((1 - own) * np.expm1(2 * half))
            down = -np.log1p((1 - own) * np.expm1(-2 * half) - (weights * cut).sum(axis=1) * np.exp(-2 * half))
        distance: Values = np.maximum(up, down) * (1 + SLACK) + SLACK
        distance[own_cut] = np.inf
        return distance

    def _of_labels(self, weights: Values, cut: Values, start: int) -> tuple[Values, Values]:
        """The probability of each label, and whether it may have been cut off."""
        if self.labels is None:
            return np.zeros(len(weights)), np.logical_or.reduce(cut, axis=1)
        labels = np.clip(self.labels[start : start + len(weights)], 0, self.classes - 1)  # others are refused elsewhere
        own: Values = np.take_along_axis(weights, labels[:, None], axis=1)[:, 0]
        own_cut: Values = np.take_along_axis(cut, labels[:, None], axis=1)[:, 0]
        return own, own_cut


def _steps(raw: Values, classes: int) -> Values:
    return raw[:, ROW_HEADER : ROW_HEADER + classes]


def _scales(path: str, raw: Values, first: int) -> tuple[Values, Values]:
    """The size of a step and the lowest log-probability of each row, float32 [rows, 1]."""
    scales = np.ascontiguousarray(raw[:, :ROW_HEADER]).view("<f4")  # [rows, 2]
    possible = np.isfinite(scales).all(axis=1) & (scales[:, 0] >= 0) & (scales[:, 0] < LARGEST_STEP)
    if not possible.all():
        row = int(np.argmin(possible))
        raise InputError(
            "a row has a scale that makes no sense",
            at=f"{path}, row {first + row}",
            found=f"scale {scales[row, 0]}, lowest {scales[row, 1]}",
            expected=f"finite numbers, a scale from 0 to {LARGEST_STEP}",
        )
    return scales[:, :1], scales[:, 1:]
