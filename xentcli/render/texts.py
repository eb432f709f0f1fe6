"""Columns of numbers as texts, all rows at once: letter by letter what Python's `str` makes of each number.

A column is a matrix of bytes, in which zero bytes stand for nothing; `lines` leaves these out.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xentcli.render.decimals import shortest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Bytes = NDArray[np.uint8]  # [rows, width]

DIGITS = 17  # of a float64 at the most
POWERS = 10 ** np.arange(20, dtype=np.uint64)
PLAIN = range(-3, 17)  # places of the decimal point that are written without an exponent
LAYOUT = 22  # bytes from the first digit to the last: "0." and three zeros before 17 digits
MASKS = np.where(np.arange(DIGITS) < np.arange(DIGITS + 1)[:, None], 0xFF, 0).astype(np.uint8)  # keep the first digits
SUFFIX = 5  # bytes of "e-324"


def lines(columns: Sequence[Bytes]) -> str:
    """A line for each row, with commas between the columns."""
    rows = len(columns[0])
    signs = [repeated(sign, rows) for sign in "," * (len(columns) - 1) + "\n"]
    return joined([part for pair in zip(columns, signs, strict=True) for part in pair])


def joined(columns: Sequence[Bytes]) -> str:
    """All rows in one text, with nothing between them."""
    return np.concatenate(columns, axis=1).tobytes().translate(None, b"\0").decode()


def repeated(text: str, rows: int) -> Bytes:
    """A column of the same text, which may be empty."""
    return np.broadcast_to(np.frombuffer(text.encode(), np.uint8), (rows, len(text)))


def texts(values: Sequence[str]) -> Bytes:
    """A column of any ASCII texts."""
    return _matrix(np.array([value.encode() for value in values], np.bytes_))


def chosen(where: NDArray[np.bool_], column: Bytes, other: Bytes) -> Bytes:
    """The first column's text where that is wanted, else the other's."""
    return np.hstack([np.where(where[:, None], column, 0), np.where(where[:, None], 0, other)]).astype(np.uint8)


def words(values: NDArray[np.bool_], _quote: str = "") -> Bytes:
    """true or false."""
    return _matrix(np.array([b"false", b"true"])[values.astype(np.intp)])


def integers(values: NDArray[np.int64], _quote: str = "") -> Bytes:
    """Integers as they are."""
    size = np.abs(values).view(np.uint64)
    width = max(len(str(int(size.max()))), 1) if len(size) else 1
    digits = _digits(size, width)
    digits[np.arange(width) < (width - _lengths(size))[:, None]] = 0
    return np.hstack([_sign(values < 0), digits])


def floats(values: NDArray[np.float64], quote: str = "") -> Bytes:
    """Floats in the fewest digits that read back as the same float; infinities and NaN between quotes."""
    finite = np.isfinite(values)
    integer, exponent = shortest(np.where(finite & (values != 0.0), values, 1.0))
    integer[values == 0.0] = 0
    length = _lengths(integer)
    point = np.where(values == 0.0, 1, exponent + length)  # the value is 0.d1d2... 10^point
    spelled = np.hstack([_sign(np.signbit(values)), *_spelled(integer * POWERS[DIGITS - length], point)])
    for row in np.flatnonzero(~finite):
        text = f"{quote}{values[row]}{quote}".encode()
        spelled[row] = np.frombuffer(text.ljust(spelled.shape[1], b"\0"), np.uint8)
    return spelled


COLUMNS: dict[str, Callable[[NDArray[Any], str], Bytes]] = {"b": words, "i": integers, "f": floats}


def column(values: NDArray[Any], quote: str = "") -> Bytes:
    """Truth values, integers or floats, by their type; quotes as for `floats`."""
    return COLUMNS[values.dtype.kind](values, quote)


def _spelled(integer: NDArray[np.uint64], point: NDArray[np.int64]) -> tuple[Bytes, Bytes]:
    """The digits with the point among them, and the exponent; `integer` has all the digits."""
    digits = _digits(integer, DIGITS)
    count = DIGITS - np.argmax(digits[:, ::-1] != ord("0"), axis=1)
    plain = (point >= PLAIN.start) & (point < PLAIN.stop)
    count = np.where(integer == 0, 1, count)
    shown = np.where(plain, np.maximum(count, point + 1), count)  # 1.0 has a digit after the point, 1e+16 no point
    digits &= MASKS[shown]
    texts = _with_points(digits, np.where(plain, point, 1))
    texts[~plain & (count == 1), 1] = 0
    return texts, _suffixes()[np.where(plain, 0, point)]


def _with_points(digits: Bytes, point: NDArray[np.int64]) -> Bytes:
    """The digits with the point at its place; before the first digit stand zeros."""
    texts = np.zeros((len(digits), LAYOUT), np.uint8)
    for place in np.unique(point).tolist():  # losses and probabilities have few
        rows = np.flatnonzero(point == place)
        zeros = np.full((len(rows), max(1 - place, 0)), ord("0"), np.uint8)
        whole = np.hstack([zeros, digits[rows]])
        before = max(place, 1)
        texts[rows, :before] = whole[:, :before]
        texts[rows, before] = ord(".")
        texts[rows, before + 1 : whole.shape[1] + 1] = whole[:, before:]
    return texts


@cache
def _suffixes() -> Bytes:
    """The exponent for each place of the point, nothing for 0; negative places count from the end."""
    places = [*range(310), *range(-330, 0)]
    return _matrix(np.array([f"e{place - 1:+03}".encode() if place else b"" for place in places], f"S{SUFFIX}"))


def _digits(values: NDArray[np.uint64], width: int) -> Bytes:
    """The last digits of each number."""
    digits = np.empty((len(values), width + width % 2), np.uint8)
    pairs = digits.view(np.uint16)
    for column in reversed(range(pairs.shape[1])):
        rest = values // np.uint64(100)
        pairs[:, column] = _pairs()[values - rest * np.uint64(100)]
        values = rest
    return digits[:, width % 2 :]


@cache
def _pairs() -> NDArray[np.uint16]:
    return np.frombuffer("".join(f"{pair:02}" for pair in range(100)).encode(), np.uint16)


def _lengths(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many digits each number has; 1 for zero."""
    return np.maximum(np.searchsorted(POWERS, values, side="right"), 1)


def _sign(is_negative: NDArray[np.bool_]) -> Bytes:
    return np.where(is_negative, ord("-"), 0).astype(np.uint8)[:, None]


def _matrix(texts: NDArray[Any]) -> Bytes:
    return texts.view(np.uint8).reshape(len(texts), -1)
