"""What is kept of each row: one after the other, wherever each block wrote its own."""

import numpy as np
import pytest

from xentcli.measuring.each_row import EachRow, Gathered

CLASSES = 7


def filled(each: EachRow, rng: np.random.Generator) -> EachRow:
    """With any numbers, and their sum."""
    each.losses[:], each.confidences[:] = rng.random(len(each.losses)), rng.random(len(each.losses))
    each.pairs[:] = rng.integers(0, CLASSES**2 + 1, len(each.pairs))
    each.total.add(each.losses)
    return each


@pytest.mark.parametrize("seed", range(20))
def test_rows_of_blocks_follow_each_other(seed: int) -> None:
    """Blocks write where they stand, before it is known how many rows before them count: no row may be lost or torn."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 50, 8)
    counted = [int(rng.integers(0, size + 1)) if seed % 2 else int(size) for size in sizes]
    gathered, starts = Gathered(int(sizes.sum()), CLASSES), np.cumsum(sizes) - sizes
    rooms = [gathered.at(int(start), count) for start, count in zip(starts, counted, strict=True)]
    is_there = rng.random(8) < 0.7  # others come from another process, in memory of their own
    parts = [
        filled(room if there else EachRow.empty(len(room.losses), CLASSES), rng)
        for room, there in zip(rooms, is_there, strict=True)
    ]
    expected = {name: np.concatenate([part.columns[name] for part in parts]) for name in rooms[0].columns}
    for part in parts:
        gathered.append(part)
    found = gathered.all()
    for name, column in found.columns.items():
        np.testing.assert_array_equal(column, expected[name])
    assert found.total.fraction() == sum(part.total.fraction() for part in parts)


def test_rows_that_all_count_stay_where_they_were_written() -> None:
    """Ten million rows are not written twice."""
    gathered = Gathered(20, CLASSES)
    first, second = gathered.at(0, 12), gathered.at(12, 8)
    first.losses[:], second.losses[:] = 1.0, 2.0
    first.losses.base.setflags(write=False)
    gathered.append(first)
    gathered.append(second)
    assert gathered.all().losses.tolist() == [1.0] * 12 + [2.0] * 8
