"""llama.cpp's quantised logits: where they lie, which labels they have, and how far quantisation moved each loss."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import format_files as files
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from process import xent_here

from xentcli.errors import InputError, UsageError
from xentcli.sources.open import open_array, open_pair

if TYPE_CHECKING:
    from pathlib import Path

same_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@st.composite
def chunks(draw: st.DrawFn) -> list[tuple[np.ndarray, np.ndarray]]:
    """Tokens and logits; rows of few and of many steps, and of more than 16."""
    context, classes = draw(st.integers(3, 9)), draw(st.integers(1, 12))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 4.0, 30.0, 1000.0]))
    shift = draw(st.sampled_from([0.0, 5.0, -300.0, 10_000.0]))
    rows = context - 1 - context // 2
    return [
        (
            generator.integers(0, classes, context),
            (scale * generator.standard_normal((rows, classes)) + shift).astype(np.float32),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]


def written(folder: Path, raw: bytes) -> str:
    (folder / "base.kld").write_bytes(raw)
    return str(folder / "base.kld")


def labels_of(content: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The token after each scored one."""
    return np.concatenate([tokens[len(tokens) // 2 + 1 :] for tokens, _ in content])


def losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """In 80 bits, whose rounding is far below any step."""
    wide = logits.astype(np.longdouble)
    wide = wide - wide.max(axis=1, keepdims=True)
    return np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(len(labels)), labels]


@same_directory
@given(content=chunks())
def test_the_loss_before_the_quantisation_is_within_the_blur(tmp_path, content):
    """A bound that one row breaks would certify a wrong loss."""
    logits, labels = open_pair(written(tmp_path, files.kld(content)))
    assert (logits.path[-7:], logits.format, logits.dtype, labels.dtype) == (":logits", "llama.cpp", "float32", "int32")
    assert labels.values.tolist() == labels_of(content).tolist()
    before = losses(np.concatenate([rows for _, rows in content]), labels.values)
    lower, upper = logits.blur.ends(0, len(before), labels.values)
    assert ((lower <= before) & (before <= upper)).all()
    spread = logits.blur.spread(0, len(before))
    assert (abs(losses(logits.values, labels.values) - before) <= spread).all()


@same_directory
@given(content=chunks())
def test_the_blur_is_tight(tmp_path, content):
    """An infinite bound always holds: for rows that nothing was cut off from it is one step and float32's rounding."""
    logits, labels = open_pair(written(tmp_path, files.kld(content)))
    rows = np.concatenate([rows for _, rows in content]).astype(np.float64)
    span = rows.max(axis=1) - rows.min(axis=1)
    lower, upper = logits.blur.ends(0, len(span), labels.values)
    limit = 1.05 * span / 65535 + 1e-5 * (1 + abs(logits.values).max(axis=1))
    whole = span < 15.7
    assert (upper - lower <= limit)[whole].all()
    assert (logits.blur.spread(0, len(span)) <= limit)[whole].all()


def test_a_label_that_was_cut_off_may_have_had_any_loss(tmp_path):
    """llama.cpp keeps 16 nats below the greatest logit: below, nothing is known."""
    content = [(np.array([0, 0, 1]), np.array([[0.0, -40.0, 1.0]], np.float32))]
    logits, labels = open_pair(written(tmp_path, files.kld(content)))
    assert labels.values.tolist() == [1]
    lower, upper = logits.blur.ends(0, 1, labels.values)
    assert lower[0] == pytest.approx(16.3, abs=0.1)
    assert upper.tolist() == [np.inf]
    assert logits.blur.spread(0, 1).tolist() == [np.inf]
    lower, upper = logits.blur.ends(0, 1, np.array([2]))
    assert 1e-8 < upper[0] - lower[0] < 1e-3


def one_cut_off(rows: int = 3, classes: int = 21) -> list[tuple[np.ndarray, np.ndarray]]:
    """The label of the middle row is 42 below the top."""
    generator = np.random.default_rng(0)
    logits = generator.standard_normal((rows, classes)).astype(np.float32)
    logits[:, 0], logits[1, 5] = 12, -30
    return [(np.array([0, 1, 2, 3, 3, 5, 7]), logits)]


def reported(cwd: Path, *arguments: str) -> tuple[int, dict]:
    ended = xent_here("compute", *arguments, "--json", cwd=cwd)
    return ended.code, json.loads(ended.out)


def test_a_total_with_a_label_that_was_cut_off_has_no_upper_end(tmp_path):
    """`lower == upper` for a loss that is nowhere near would certify a number that the file does not hold."""
    content = one_cut_off()
    name = written(tmp_path, files.kld(content))
    before = float(losses(content[0][1], labels_of(content)).mean())
    code, report = reported(tmp_path, name)
    reference = report["losses"]["reference"]
    assert code
    assert (report["verdict"], reference["upper"], reference["decimal"]) == ("undecided", "inf", None)
    assert 12 < reference["lower"] < before
    assert "at least 12.86" in report["summary"]
    assert "1 of 3 rows" in report["summary"]
    code, report = reported(tmp_path, name, "--reduction", "none")
    assert [sample["upper"] == "inf" for sample in report["samples"]] == [False, True, False]


@pytest.mark.parametrize(("claim", "holds"), [("3", False), ("100", None), ("12.5", False)])
def test_a_claim_below_what_is_known_does_not_hold_and_one_above_is_open(tmp_path, claim, holds):
    """A half-known loss still refutes what is too small, and nothing else."""
    name = written(tmp_path, files.kld(one_cut_off()))
    _, report = reported(tmp_path, name, "--expect", claim)
    assert report["expectation"]["holds"] is holds


def test_with_smoothing_every_class_that_was_cut_off_matters(tmp_path):
    """The loss of a smoothed target holds every class's -log p, so that one of them has no end, nor has the loss."""
    content = one_cut_off()
    content[0][0][5] = 1  # no label is cut off any more
    name = written(tmp_path, files.kld(content))
    assert reported(tmp_path, name)[1]["losses"]["reference"]["upper"] != "inf"
    reference = reported(tmp_path, name, "--label-smoothing", "0.1")[1]["losses"]["reference"]
    assert (reference["lower"], reference["upper"]) == ("-inf", "inf")


def test_the_true_loss_needs_no_softmax_over_classes_that_were_cut_off(tmp_path):
    """Many classes lifted to the floor add up: of 20,000 the stored softmax is off by far more than half a step."""
    generator = np.random.default_rng(1)
    logits = (generator.standard_normal((9, 20_000)) - 30).astype(np.float32)
    logits[:, :5] += np.float32(30)
    content = [(np.r_[np.zeros(10, int), generator.integers(0, 5, 10)], logits)]
    name = written(tmp_path, files.kld(content))
    before = float(losses(logits, labels_of(content)).mean())
    code, report = reported(tmp_path, name)
    reference = report["losses"]["reference"]
    assert reference["lower"] <= before <= reference["upper"]
    assert reference["upper"] - reference["lower"] < 5e-4
    assert (code, report["losses"]["library"]["status"]) == (0, "within")
    assert report["losses"]["library"]["value"] - before > 5e-4  # which no width of ours may hide


def test_any_part_is_that_of_the_whole(tmp_path):
    """Blocks of rows, and of classes."""
    generator = np.random.default_rng(4)
    content = [(generator.integers(0, 7, 20), generator.standard_normal((9, 7)).astype(np.float32)) for _ in range(3)]
    logits, _ = open_pair(written(tmp_path, files.kld(content)))
    assert logits.shape == (27, 7)
    assert np.array_equal(logits.read(0, 5, 20), logits.values[5:20])
    assert np.array_equal(logits.read(1, 2, 4), logits.values[:, 2:4])
    labels = np.arange(27) % 7
    assert np.array_equal(logits.blur.ends(5, 20, labels[5:20]), logits.blur.ends(0, 27, labels)[:, 5:20])
    assert np.array_equal(logits.blur.spread(5, 20), logits.blur.spread(0, 27)[5:20])


def header(context: int, classes: int, chunk_count: int) -> bytes:
    return b"_logits_" + struct.pack("<iii", context, classes, chunk_count)


WHOLE = files.kld([(np.array([0, 1, 0]), np.array([[0.5, 1.5]], np.float32))])
HOSTILE = {
    "no classes": (header(3, 0, 1), "makes no sense"),
    "negative chunks": (header(3, 2, -1), "makes no sense"),
    "a context of nothing": (header(2, 2, 1), "makes no sense"),
    "exabytes": (header(2**31 - 1, 1 << 22, 2**31 - 1), "cut off"),
    "a header cut off": (b"_logits_\1\0\0", "within its header"),
    "a row cut off": (WHOLE[:-1], "cut off"),
    "bytes after the end": (WHOLE + b"\0", "goes on"),
    "a scale of nan": (WHOLE[:32] + struct.pack("<f", np.nan) + WHOLE[36:], "row 0"),
    "a scale below zero": (WHOLE[:32] + struct.pack("<f", -1) + WHOLE[36:], "row 0"),
    "an infinite lowest": (WHOLE[:36] + struct.pack("<f", np.inf) + WHOLE[40:], "row 0"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(tmp_path, name):
    """The program that writes these files goes on without a word when the disk is full."""
    raw, says = HOSTILE[name]
    with pytest.raises(InputError, match=says):
        open_array(written(tmp_path, raw)).values.sum()


def test_the_file_has_no_other_arrays(tmp_path):
    """A wrong name is told."""
    with pytest.raises(UsageError, match="no array"):
        open_array(written(tmp_path, WHOLE) + ":tokens")


def test_the_report_encloses_the_loss_before_the_quantisation(tmp_path):
    """Whoever compares with the numbers of the run that wrote the file must not be told that they are wrong."""
    generator = np.random.default_rng(7)
    content = [(generator.integers(0, 50, 40), 2 * generator.standard_normal((19, 50)).astype(np.float32))]
    name = written(tmp_path, files.kld(content))
    before = losses(content[0][1], labels_of(content)).mean()
    for claim, is_wrong in ((f"{before:.4f}", False), (f"{before + 0.01:.4f}", True)):
        ended = xent_here("compute", name, "--expect", claim, "--json", cwd=tmp_path)
        report = json.loads(ended.out)
        assert report["losses"]["reference"]["lower"] < before < report["losses"]["reference"]["upper"]
        assert report["losses"]["reference"]["upper"] - report["losses"]["reference"]["lower"] < 1e-3
        assert (report["verdict"], report["expectation"]["holds"] is False) == (
            "fails" if is_wrong else "holds",
            is_wrong,
        )
    assert "the logits before 16 bits held them" in " ".join(xent_here("compute", name, cwd=tmp_path).out.split())


@pytest.mark.parametrize("options", [(), ("--label-smoothing", "0.1"), ("--rtol", "1e-6"), ("--block-bytes", "90")])
def test_rows_without_an_upper_end_are_not_certified_one_by_one(tmp_path, options):
    """The library says 16 where the loss was 42: neither is it right, nor does a tolerance prove it wrong."""
    name = written(tmp_path, files.kld(one_cut_off()))
    code, report = reported(tmp_path, name, "--reduction", "none", *options)
    assert (code, report["verdict"]) == (5, "undecided")
    assert "enclosed: 16 bits cut off" in report["summary"]


def test_rows_that_do_not_count_need_no_upper_end(tmp_path):
    """A label that is ignored was asked for by nobody, whatever was cut off of it."""
    name = written(tmp_path, files.kld(one_cut_off()))
    ended = xent_here("compute", name, "--reduction", "none", "--ignore-index", "5", "--rtol", "1e-3", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(("row", "code", "verdict"), [(0, 0, "holds"), (1, 5, "undecided"), (2, 0, "holds")])
def test_a_row_of_many_is_explained(tmp_path, row, code, verdict):
    """A row whose verdict is open is the first that its owner looks at."""
    name = written(tmp_path, files.kld(one_cut_off()))
    ended = xent_here("explain", name, "--row", str(row), "--json", cwd=tmp_path)
    assert ended.code == code, ended.err
    told = json.loads(ended.out)
    assert told["verdict"] == verdict
    assert (told["losses"]["reference"]["upper"] == "inf") == (row == 1)
    assert ("within rounding of the true loss" in told["summary"]) == (row != 1)
    assert xent_here("explain", name, "--row", str(row), cwd=tmp_path).code == code
    assert xent_here("explain", name, cwd=tmp_path).code in {0, 5}
    assert xent_here("explain", name, "--row", str(row), "--label-smoothing", "0.1", cwd=tmp_path).code == code
