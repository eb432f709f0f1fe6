"""Tables of whole numbers against Python's own, and their way through a file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xentcli.errors import InputError
from xentcli.numbers.wholes import Wholes

NUMBERS = st.integers(-(2**63), 2**63 - 1)


def table(values: list[int]) -> Wholes:
    return Wholes.of(np.array(values, np.int64))


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=8))
def test_sums_beyond_64_bits_are_exact(rows: list[tuple[int, int, int]]) -> None:
    """Ten million rows add up to more than 64 bits hold; the order is that of the blocks, or of the workers."""
    one, two, three = (table(list(column)) for column in zip(*rows, strict=True))
    assert (one + two + three).magnitude() == sum(abs(sum(row)) for row in rows)
    assert one + (two + three) == three + two + one


@given(st.lists(NUMBERS, max_size=8))
def test_it_reads_back(values: list[int]) -> None:
    """A partial that reads back as another table would merge to another number."""
    written = json.loads(json.dumps((table(values) + table(values)).to_json()))
    assert Wholes.from_json(written) == table(values) + table(values)
    assert len(written["places"]) == sum(value != 0 for value in values)


GOOD = {"length": 3, "places": [0, 2], "values": ["0x1", "-0x2"]}


@pytest.mark.parametrize(
    "change",
    [
        {"length": -1}, {"length": True}, {"length": 1 << 40}, {"length": 2}, {"places": [0]}, {"places": [0, 3]},
        {"places": [0, -1]}, {"places": [2, 2]}, {"places": [0, True]}, {"values": ["0x1", 2]},
        {"values": ["0x1", "2"]}, {"more": 1}, {"values": ["0x1", "0x" + "f" * 99]},
    ],
)  # fmt: skip
def test_anything_else_is_refused(change: dict[str, object]) -> None:
    """A damaged file must not become a number, nor take all memory."""
    assert Wholes.from_json(GOOD).magnitude() == 3
    with pytest.raises(InputError, match="whole numbers"):
        Wholes.from_json(GOOD | change)
