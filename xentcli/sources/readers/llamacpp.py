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

import math
from dataclasses import dataclass
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
EXP_UNITS = 8  # roundings to float32 that an exponential may be off by, and more than llama.cpp's is
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
        blur=Quantised(rows, header),
    )


def _tokens(file: Bytes, header: Header) -> Stored:
    return Stored(file, HEADER_BYTES, (header.chunks, header.context), np.dtype("<i4"))


def _labels(file: Bytes, header: Header) -> Array:
    tokens = _tokens(file, header)(0, 0, header.chunks)
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
        return _sixteen(self.rows, self.classes, start, stop).logs


@dataclass(frozen=True, eq=False)
class Sixteen:
    """Rows as they are stored: 16 bits a class."""

    scale: Values  # float32 [rows, 1]
    lowest: Values  # float32 [rows, 1]
    steps: Values  # uint16 [rows, classes]

    def part(self, rows: slice) -> Sixteen:
        return Sixteen(self.scale[rows], self.lowest[rows], self.steps[rows])

    @property
    def logs(self) -> Values:
        """The log-probabilities, float32 [rows, classes], as llama.cpp itself makes them."""
        values: Values = self.scale * self.steps.astype(np.float32) + self.lowest
        return values

    @property
    def exact(self) -> Values:
        """The same in float64, whose one rounding no bound sees."""
        values: Values = self.scale.astype(np.float64) * self.steps + self.lowest
        return values

    @property
    def is_cut(self) -> Values:
        """Which classes are at the floor of a row that spans 16: their logits may have been any lower."""
        found: Values = (self.steps == 0) & (STEPS * self.scale.astype(np.float64) >= CLAMPED_SPAN)
        return found

    @property
    def error(self) -> Values:
        """How far a log-probability that is not cut may be from the one before; `Quantised` proves it; [rows, 1]."""
        scale, lowest = self.scale.astype(np.float64), self.lowest.astype(np.float64)
        return _error(scale, lowest, self.steps.shape[1], abs(lowest) + STEPS * scale)


@dataclass(frozen=True, eq=False)
class Quantised:
    """How far the 16 bits may have moved the losses.

    Let x be the logits before, C classes, and scale, lowest and q what is stored; u = 2^-24, float32's roundoff.

    The label's own -log p was stored, as -(scale q + lowest), and no other class is needed for it.  It is off by half a
    step and the roundings within q; by those of lowest, a distance of at most 65,535 steps less the logarithm of the
    sum; and by that of the sum itself: u for each x - max, which its exp(x - max) turns into at most u ln C of the sum,
    as for an entropy, some u for each exp in float32, and u of the logarithm.  A label with q = 0 in a row that spans
    16 was cut off, and may have had any greater loss.

    Where every class matters, let y be the stored logits, both up to a constant of the row, which no loss sees.
    Rounding moves each class by e_i = x_i - y_i with |e_i| <= h, where h is half a step and the rounding of the float32
    arithmetic that makes q of x and y of q; of a class that was cut off, e_i <= h alone.  With p the softmax of y,

        loss(x) - loss(y) = log sum_i p_i exp(e_i - e_t)

    for any class t, and every exponent is at most 2h, and at least -2h unless it is a class that was cut off.
    """

    rows: Stored
    header: Header

    @property
    def classes(self) -> int:
        return self.header.classes

    def stored(self, start: int, stop: int) -> Sixteen:
        return _sixteen(self.rows, self.classes, start, stop)

    def tokens(self, start: int, stop: int) -> Values:
        """Those of these chunks, int32 [chunks, n_ctx]."""
        return _tokens(self.rows.file, self.header)(0, start, stop)

    def ends(self, start: int, stop: int, labels: Values) -> Values:
        scale, lowest, steps = self._stored(start, stop)
        chosen = np.clip(labels, 0, self.classes - 1)  # others are refused elsewhere, or do not count
        own = np.take_along_axis(steps, chosen[:, None], axis=1)[:, 0].astype(np.float64)
        loss = -(scale * own + lowest)
        error = _error(scale, lowest, self.classes, loss)
        is_cut = (own == 0) & (STEPS * scale >= CLAMPED_SPAN)
        return np.stack([np.maximum(loss - error, 0.0), np.where(is_cut, np.inf, loss + error)])

    def spread(self, start: int, stop: int) -> Values:
        half, is_cut = self.moved(start, stop)
        return np.where(is_cut, np.inf, 2 * half * (1 + SLACK) + SLACK)

    def moved(self, start: int, stop: int) -> Values:
        scale, lowest, steps = self._stored(start, stop)
        is_cut = (steps == 0).any(axis=1) & (STEPS * scale >= CLAMPED_SPAN)
        half = HALF_STEP * scale + FLOAT_ROUNDING * (STEPS * scale + abs(lowest)) + SUBNORMAL
        return np.stack([half, is_cut])

    def _stored(self, start: int, stop: int) -> tuple[Values, Values, Values]:
        """Scale and lowest, float64 [rows], and the steps, [rows, classes]."""
        raw = self.rows(0, start, stop)
        scale, lowest = (column[:, 0].astype(np.float64) for column in _scales(self.rows.file.path, raw, start))
        return scale, lowest, _steps(raw, self.classes)


def _error(scale: Values, lowest: Values, classes: int, loss: Values) -> Values:
    sizes = STEPS * scale + abs(lowest) + 2 * math.log(classes) + EXP_UNITS
    error: Values = (HALF_STEP * scale + 2.0**-24 * sizes) * (1 + 2.0**-8) + SLACK * (1 + abs(loss)) + SUBNORMAL
    return error


def _sixteen(rows: Stored, classes: int, start: int, stop: int) -> Sixteen:
    raw = rows(0, start, stop)
    return Sixteen(*_scales(rows.file.path, raw, start), _steps(raw, classes))


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
