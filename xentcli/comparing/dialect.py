"""A base file of llama.cpp beside another model's logits, or beside another base file, in blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xentcli.comparing import llamacpp, sixteen
from xentcli.errors import InputError
from xentcli.sources.readers.llamacpp import Quantised, Sixteen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.comparing.llamacpp import Line, Rows
    from xentcli.comparing.sixteen import Ends, Interval
    from xentcli.numbers.arrays import Array, Values

BLOCK_BYTES = 32 << 20  # of the other side's float32
SAME_DATA = "llama-perplexity -m MODEL -f TEXT -c {context} --chunks {chunks} --kl-divergence-base FILE, with one TEXT"


@dataclass(frozen=True, eq=False)
class Dialect:
    """What is kept of each row; parts of consecutive rows add up."""

    rows: Rows
    ends: Ends

    def __add__(self, other: Dialect) -> Dialect:
        return joined([self, other])

    @property
    def lines(self) -> tuple[Line, ...]:
        """The 34, or none."""
        return llamacpp.lines(self.rows)

    @property
    def intervals(self) -> dict[str, Interval]:
        """Between what the lines' values would be without the 16 bits and the cut, by the line's name."""
        return sixteen.intervals(self.ends)

    @property
    def statement(self) -> str:
        """What a finding says of the base in 16 bits; of no lines nothing."""
        found = {line.name: line for line in self.lines}
        if not found:
            return ""
        return sixteen.statement(found["kld_mean"], self.intervals["kld_mean"], len(self.ends.under_floor))


def joined(parts: list[Dialect]) -> Dialect:
    """Parts of consecutive rows, in order."""
    return Dialect(
        llamacpp.joined(part.rows for part in parts),
        sixteen.joined(part.ends for part in parts),
    )


def dialect(base: Array, other: Array, labels: Values) -> Dialect:
    """All rows, of which at most a block is in memory.

    base    the logits of a base file
    other   those of another model, float32 or narrower, or of another base file
    labels  [rows], as the base file has them

    Errors: InputError where the two are not of the same rows, classes and tokens.
    """
    check(base, other, labels)
    return joined(list(blocks(base, other, labels)))


def blocks(base: Array, other: Array, labels: Values) -> Iterator[Dialect]:
    """Each block of rows; the arrays have been checked."""
    height = max(1, BLOCK_BYTES // (4 * base.shape[1]))
    for start in range(0, base.shape[0], height):
        yield block(base, other, labels, start, min(start + height, base.shape[0]))


def block(base: Array, other: Array, labels: Values, start: int, stop: int) -> Dialect:
    """The rows from `start` to `stop`; threads may call it at once."""
    stored, known, own = _of_file(base).stored(start, stop), _rows(other, start, stop), labels[start:stop]
    logits = known.logs if isinstance(known, Sixteen) else known
    rows = llamacpp.measured(stored, logits, own, start)
    return Dialect(rows, sixteen.ends(stored, known, own))


def _rows(side: Array, start: int, stop: int) -> Sixteen | Values:
    """What a base file holds, or logits in float32."""
    if isinstance(side.blur, Quantised):
        return side.blur.stored(start, stop)
    return side.read(0, start, stop).astype(np.float32, copy=False)


def check(base: Array, other: Array, labels: Values) -> None:
    """InputError for what llama-perplexity would go on with, or crash of."""
    own = _of_file(base)
    if other.shape != base.shape:
        raise InputError(
            "the two sides have not the same rows and classes",
            at=other.path,
            found=other.described(),
            expected=f"{base.described()}, as {base.path}",
        )
    if other.kind.kind != "f" or other.kind.itemsize > 4:
        raise InputError(
            "llama-perplexity's arithmetic takes float32",
            at=other.path,
            found=other.dtype,
            expected="float32 or float16",
            hint="python -c \"import numpy; numpy.save('other32.npy', numpy.load('other.npy').astype('float32'))\"",
        )
    outside = (labels < 0) | (labels >= base.shape[1])
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            "a label is out of range",
            at=f"{base.path}, row {row}",
            found=str(labels[row]),
            expected=f"0 to {base.shape[1] - 1}",
        )
    if isinstance(other.blur, Quantised):
        check_tokens(own, other.blur)


def _of_file(base: Array) -> Quantised:
    if isinstance(base.blur, Quantised):
        return base.blur
    raise InputError(
        "llama-perplexity compares with a base file",
        at=base.path,
        found=base.format,
        expected="one file that --kl-divergence-base wrote",
        hint="llama-perplexity -m MODEL -f TEXT --kl-divergence-base FILE",
    )


def check_tokens(base: Quantised, other: Quantised) -> None:
    """InputError that names the first token in which two base files differ."""
    hint = SAME_DATA.format(context=base.header.context, chunks=base.header.chunks)
    path, base_path = other.rows.file.path, base.rows.file.path
    if other.header != base.header:
        raise InputError(
            "the two base files are not of the same chunks",
            at=path,
            found=_described(other),
            expected=f"{_described(base)}, as {base_path}",
            hint=hint,
        )
    for chunk in range(base.header.chunks):
        one, two = (file.tokens(chunk, chunk + 1)[0] for file in (base, other))  # [n_ctx]
        if not np.array_equal(one, two):
            position = int(np.argmax(one != two))
            raise InputError(
                "the two base files are not of the same tokens",
                at=f"{path}, chunk {chunk}, position {position}",
                found=f"token {two[position]}",
                expected=f"token {one[position]}, as {base_path}",
                hint=hint,
            )


def _described(file: Quantised) -> str:
    header = file.header
    return f"n_ctx {header.context}, n_vocab {header.classes}, n_chunk {header.chunks}"
