"""A report without a reduction: every sample is there, read back from wherever it was kept, and printed in pieces."""

from __future__ import annotations

import copy
import csv
import io
import json
import pickle
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Case, cases

import xentcli
from xentcli.errors import InputError
from xentcli.question import problem
from xentcli.records import samples
from xentcli.records.report import Report, Sample, plain
from xentcli.render.page import Page
from xentcli.render.registry import FORMATS, render
from xentcli.sources import stored

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS = tuple(samples.FIELDS)


def report_of(case: Case, **more: object) -> Report:
    return xentcli.compute(case.logits, case.target, **case.keywords() | {"reduction": "none"} | more)


def text(report: Report, form: str) -> bytes:
    pieces = render(report, form, Page(80, color=False))
    return b"".join(piece if isinstance(piece, bytes) else piece.encode() for piece in pieces)


def ramp(count: int, **options: object) -> Report:
    """The report on so many samples, some of which are ignored."""
    logits = np.sin(np.arange(3.0 * count)).reshape(count, 3) * 9
    labels = np.arange(count) % 4
    return xentcli.compute(logits, np.where(labels == 3, -100, labels), reduction="none", **options)


def without_probabilities(sample: Sample) -> Sample:
    return replace(sample, probabilities=())


@given(cases())
@settings(max_examples=25)
def test_small_pieces_make_the_same_report(case: Case) -> None:
    """What is kept in a file, or read back row by row, is not what is kept and read at once."""
    whole = report_of(case)
    with patch.object(stored, "IN_MEMORY", 0), patch.object(samples, "READ_ROWS", 2):
        pieces = report_of(case)
        for form in FORMATS:
            assert text(pieces, form) == text(whole, form)
    assert repr(list(pieces.samples)) == repr(list(whole.samples))


@given(cases())
@settings(max_examples=60)
def test_every_format_holds_the_records(case: Case) -> None:
    """The columns of a file, made all at once, are not those of the records that Python gives."""
    report = report_of(case)
    assert json.loads(text(report, "json"))["samples"] == [plain(sample) for sample in report.samples]
    rows = list(csv.DictReader(io.StringIO(text(report, "csv").decode())))
    assert [list(row.values()) for row in rows] == [
        ["" if cell is None else str(cell).lower() for cell in (getattr(sample, name) for name in FIELDS)]
        for sample in report.samples
    ]
    array = np.load(io.BytesIO(text(report, "npy")))
    for name in array.dtype.names or ():
        known = [getattr(sample, name) for sample in report.samples]
        expected = np.array([np.nan if cell is None else cell for cell in known], array.dtype[name])
        np.testing.assert_array_equal(array[name], expected)


def test_what_is_not_known_has_no_field() -> None:
    """A column of zeros or NaN is taken for numbers that somebody computed."""
    by_shares = xentcli.compute(np.eye(3), np.full((3, 3), 1 / 3), reduction="none", reference="off")
    assert np.load(io.BytesIO(text(by_shares, "npy"))).dtype.names == ("row", "ignored", "library", "manual")
    assert text(by_shares, "csv").decode().splitlines()[1].startswith("0,,false,,")


SEQUENCE = ramp(50, rows=5)


@given(st.slices(50))
def test_a_slice_is_that_of_all_records(part: slice) -> None:
    """`report.samples[::-1][:3]` gives other rows than a tuple would."""
    assert SEQUENCE.samples[part] == tuple(SEQUENCE.samples)[part]


def test_the_samples_are_a_sequence() -> None:
    """Scripts that had a tuple index it, count it, compare it, copy it and walk through it twice."""
    found = SEQUENCE.samples
    everything = tuple(found)
    assert [sample.row for sample in found] == list(range(len(found))) == list(range(50))
    assert (found[0], found[-1], found[49]) == (everything[0], everything[49], everything[49])
    assert found == everything == found
    assert found != everything[:-1]
    assert found != "samples"
    assert hash(found) == hash(everything)
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == everything
    assert repr(found) == "<50 samples>"
    for beyond in (50, -51):
        with pytest.raises(IndexError):
            found[beyond]


def test_tables_show_some_and_scripts_get_all() -> None:
    """Ten million rows fill a terminal, or the worst ones are not among those shown."""
    shown: Sequence[Sample] = samples.shown_of(SEQUENCE.samples)
    assert len(shown) == 5
    worst = SEQUENCE.discrepancy.worst
    assert worst is not None
    assert worst.row in {sample.row for sample in shown}
    assert "45 of 50 rows left out; --rows all shows them" in text(SEQUENCE, "table").decode()
    assert {sample.row for sample in SEQUENCE.samples if sample.probabilities} == {sample.row for sample in shown}
    everything = ramp(50, rows=50)
    assert list(map(without_probabilities, everything.samples)) == list(map(without_probabilities, SEQUENCE.samples))
    assert all(len(sample.probabilities) == 3 for sample in everything.samples)


def test_many_blocks_follow_each_other() -> None:
    """Rows of a block that was done early stand before those of an earlier one."""
    whole = ramp(500)
    with patch.multiple(problem, WHOLE_BYTES=0, BLOCK_SAMPLES=7):
        assert ramp(500).samples == whole.samples


def test_no_room_for_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told as a bug of ours."""

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored, "IN_MEMORY", 0)
    monkeypatch.setattr(stored.os, "write", refuse)
    with pytest.raises(InputError, match="no temporary file can take the samples' losses"):
        ramp(5)
