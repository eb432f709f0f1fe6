"""Checksums of blocks add up to that of the whole, however it is cut, and tell every small change."""

from __future__ import annotations

import zlib
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentcli.numbers.checksum import Checksum, Checksums

BYTES = st.binary(max_size=300)


def of(data: bytes) -> Checksum:
    return Checksum.of(np.frombuffer(data, np.uint8))


@given(BYTES, st.lists(st.integers(0, 300)))
def test_any_cut_gives_that_of_the_whole(data: bytes, cuts: list[int]) -> None:
    """Blocks of other sizes, shards and workers must come to the same; zlib has the reference."""
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [of(data[start:stop]) for start, stop in pairwise(places)]
    total = reduce(Checksum.__add__, parts, Checksum())
    assert total == Checksum(zlib.crc32(data), len(data))


@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_change_of_four_bytes_is_seen(data: bytes, draw: st.DataObject) -> None:
    """One float32 that is another, or a label: never missed, not even once in 2^32."""
    start = draw.draw(st.integers(0, len(data) - 1))
    change = draw.draw(st.binary(min_size=1, max_size=4).filter(any))[: len(data) - start]
    other = bytearray(data)
    for place, bits in enumerate(change, start):
        other[place] ^= bits
    assert (of(bytes(other)) == of(data)) == (bytes(other) == data)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2", "i1", "?", "V2"])
def test_numbers_are_taken_in_the_order_of_their_indices(kind: str, order: str) -> None:
    """A block that lies transposed in memory is the same block."""
    values = np.arange(24).reshape(2, 3, 4).astype("i2").astype(kind) if kind != "V2" else np.zeros((2, 3, 4), kind)
    laid_out = np.asarray(values, order=order)
    assert Checksum.of(laid_out) == of(values.tobytes())
    assert Checksum.of(laid_out[:0]) == Checksum()


def test_which_of_the_two_differs_is_named() -> None:
    """The message must name the file that changed."""
    one, other = np.zeros(3), np.ones(3)
    assert Checksums.of(one, one).differs(Checksums.of(one, one)) == ""
    assert Checksums.of(one, one).differs(Checksums.of(other, one)) == "logits"
    assert Checksums.of(one, one).differs(Checksums.of(one, other)) == "target"
