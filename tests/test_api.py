"""`xentcli.compute` against plain torch: both paths, bit for bit, over every combination of shape, dtype and option."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from strategies import Case, as_floats, cases, plain_library, plain_manual

import xentcli
from xentcli.errors import UsageError


def assert_bit_for_bit(case: Case) -> None:
    report = xentcli.compute(case.logits, case.target, **case.keywords())
    for path, plain in ((report.losses.library, plain_library(case)), (report.losses.manual, plain_manual(case))):
        if case.options["reduction"] == "none":
            name = "library" if path is report.losses.library else "manual"
            got = [getattr(sample, name) for sample in report.samples]
            np.testing.assert_array_equal(np.array(got), as_floats(plain))
        else:
            np.testing.assert_array_equal(path.value, plain.item())


@given(cases())
@settings(max_examples=150)
def test_both_paths_are_torch_bit_for_bit(case: Case) -> None:
    """A user who checks our number with one line of torch must find that very number."""
    assert_bit_for_bit(case)


@pytest.mark.slow
@given(cases(max_classes=40))
@settings(max_examples=4000)
def test_both_paths_are_torch_bit_for_bit_thousands_of_times(case: Case) -> None:
    """The same over enough combinations that every pair of options meets many times."""
    assert_bit_for_bit(case)


@given(cases())
@settings(max_examples=100)
def test_right_paths_are_judged_right(case: Case) -> None:
    """A false alarm would teach users to ignore the verdict."""
    report = xentcli.compute(case.logits, case.target, **case.keywords())
    statuses = {report.losses.library.status, report.losses.manual.status}
    assert "wrong" not in statuses
    if report.counts.samples > report.counts.ignored and case.logits.dtype == torch.float64:
        assert report.verdict == "holds", report.summary


def test_a_file_that_holds_both_needs_no_labels(tmp_path):
    """What the command line takes without LABELS, Python takes as well."""
    logits, labels = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 1])
    np.savez(tmp_path / "both.npz", logits=logits, labels=labels)
    (tmp_path / "both.csv").write_text("a,b,label\n2,0,0\n0,1,1\n")
    report = xentcli.compute(logits, labels)
    assert xentcli.compute(tmp_path / "both.npz").losses == report.losses
    assert xentcli.compute(tmp_path / "both.csv", label_column="label", dtype="float64").losses == report.losses


@pytest.mark.parametrize(
    ("given", "keywords", "message"),
    [
        (([[1.0, 2.0]],), {}, "the labels are missing"),
        (([[1.0, 2.0]], [0]), {"label_column": "y"}, "for files alone"),
        (([[1.0, 2.0]], [0]), {"drop": "id"}, "for files alone"),
    ],
)
def test_labels_come_in_one_way(given, keywords, message):
    with pytest.raises(UsageError, match=message):
        xentcli.compute(*given, **keywords)
