"""What fits together and what does not: logits, targets, weights and options, and the place of a fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from xentcli.errors import InputError, UsageError, XentError
from xentcli.numbers.arrays import Array, in_memory
from xentcli.question.problem import Options, Problem
from xentcli.sources.memory import from_memory


def array(values: Any, name: str = "labels.npy") -> Array:
    return from_memory(values, name)


def text(values: Any) -> Array:
    """As a CSV gives it: rows and columns of float64, which do not say whether they are integers."""
    rows = np.asarray(values, np.float64)
    return Array(*in_memory(rows), "labels.csv", "csv", "text", lambda index: f"line {index[0] + 1}", typed=False)


def problem(logits: Any, target: Any, **options: Any) -> Problem:
    return Problem(
        logits if isinstance(logits, Array) else array(logits, "logits.npy"),
        target if isinstance(target, Array) else array(target),
        Options(**options),
    )


LOGITS = np.zeros((3, 4), np.float32)


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (np.zeros(3, np.int64), "labels"),
        (np.zeros(3, np.uint8), "labels"),
        (np.zeros((3, 4)), "probabilities"),
        (np.zeros((3, 4), np.float16), "probabilities"),
        (text(np.zeros((3, 1))), "labels"),
        (text(np.zeros((3, 4))), "probabilities"),
        (np.zeros(3), "labels"),
        (np.zeros((3, 1), np.int64), "labels"),
        (np.zeros((1, 3), np.float32), "labels"),
        (np.eye(4, dtype=np.int64)[:3], "labels"),
        (np.eye(4, dtype=bool)[:3], "labels"),
    ],
)
def test_the_shape_and_type_of_the_target_say_what_it_is(target: Any, kind: str) -> None:
    """Nothing else is guessed."""
    assert problem(LOGITS, target).has_labels == (kind == "labels")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (np.zeros((3, 2)), ("(3, 2)", "float64", "labels of another file? these are 6", "3 samples")),
        (np.zeros(3, bool), ("astype('int64')", "(3,)")),
        (np.zeros(4, np.int64), ("--class-axis 0",)),
        (np.zeros(12, np.int64), ("another file? these are 12",)),
    ],
)
def test_a_target_that_fits_nothing_is_refused(target: Any, words: tuple[str, ...]) -> None:
    """A guess would give a plausible wrong number."""
    with pytest.raises(InputError) as caught:
        problem(LOGITS, target)
    assert all(word in str(caught.value) for word in words)


def test_swapped_files_are_seen() -> None:
    """LABELS LOGITS is the commonest slip of the command line."""
    for labels in (array(np.zeros(3, np.int64)), text(np.zeros((3, 1)))):
        with pytest.raises(InputError, match="swapped"):
            problem(labels, LOGITS)


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        ([0, 4, 1], {}, ("label 4", "4 classes, 0 to 3", "row 1", "subtract 1")),
        ([0, 1, -1], {}, ("label -1", "row 2", "--ignore-index -1")),
        ([0, 1, -1], {"ignore_index": -1}, ()),
        ([0, 1, 9], {"ignore_index": 9}, ()),
    ],
)
def test_a_label_that_is_no_class_is_named_with_its_row(labels: Any, options: Any, words: tuple[str, ...]) -> None:
    """On a GPU torch would stop with an assertion in a kernel, far from the place."""
    made = problem(LOGITS, np.array(labels), **options)
    if not words:
        list(made.blocks())
        return
    with pytest.raises(InputError) as caught:
        list(made.blocks())
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("value", [1.5, np.nan, np.inf, -np.inf])
def test_text_labels_must_be_whole(value: float) -> None:
    """1.5 is no class, and NaN must not become one."""
    made = problem(LOGITS, text([[0], [value], [0]]))
    with pytest.raises(InputError, match=r"is not a class index(.|\n)*line 2 \(row 1\)"):
        list(made.blocks())


def test_text_labels_of_more_than_one_axis_keep_their_lines() -> None:
    """One label a line, whatever the shape of the logits: the message must name the line of the wrong one."""
    made = problem(np.zeros((2, 4, 3), np.float32), text(np.array([0, 1, 2, 3, 7, 0]).reshape(6, 1)))
    with pytest.raises(InputError, match=r"label 7(.|\n)*line 5 \(row 4\)"):
        list(made.blocks())


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.ones(3), ("4 numbers", "shape 3")),
        (np.ones((2, 2)), ("2 × 2",)),
        (np.array([1, np.nan, 1, 1]), ("not finite", "[1]")),
        (np.array([1, 1, np.inf, 1]), ("not finite", "[2]")),
    ],
)
def test_weights_that_do_not_fit_are_refused(weight: Any, words: tuple[str, ...]) -> None:
    """One weight a class, all finite."""
    with pytest.raises(InputError) as caught:
        problem(LOGITS, np.zeros(3, np.int64), weight=array(weight, "weight.npy"))
    assert all(word in str(caught.value) for word in (*words, "weight.npy"))


@pytest.mark.parametrize(
    "options",
    [
        {"label_smoothing": 1.5},
        {"label_smoothing": -0.1},
        {"label_smoothing": float("nan")},
        {"reduction": "average"},
        {"dtype": "float8"},
        {"device": "tpu"},
        {"class_axis": 2},
        {"class_axis": -3},
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any) -> None:
    """A typing error in a script must not be computed with."""
    with pytest.raises(UsageError):
        problem(LOGITS, np.zeros(3, np.int64), **options)


def test_an_ignored_class_does_not_go_with_probabilities() -> None:
    """As in torch, which says it less clearly."""
    with pytest.raises(UsageError, match="row of zeros"):
        problem(LOGITS, np.zeros((3, 4)), ignore_index=0)


@pytest.mark.parametrize("logits", [np.float32(1.0), np.zeros((3, 0)), np.zeros((3, 4), np.complex64)])
def test_logits_that_are_none_are_refused(logits: Any) -> None:
    """A number, no classes, complex numbers."""
    with pytest.raises(XentError):
        problem(logits, np.zeros(3, np.int64))


def test_integers_are_computed_with_exactly_or_not_at_all() -> None:
    """2^53 + 1 has no float64; the certificate would be about another number."""
    exact = problem(np.array([[2**53, 0]]), np.array([0]))
    assert next(exact.blocks()).logits.dtype == torch.float64
    with pytest.raises(InputError, match=r"beyond 2\^53"):
        list(problem(np.array([[2**53 + 1, 0]]), np.array([0])).blocks())


def test_a_cast_that_loses_nothing_keeps_no_second_copy() -> None:
    """float32 to float64 is exact, so there is no effect of a cast to report."""
    wide = next(problem(LOGITS, np.zeros(3, np.int64), dtype="float64").blocks())
    narrow = next(problem(LOGITS, np.zeros(3, np.int64), dtype="bfloat16").blocks())
    assert wide.stored is None
    assert narrow.stored is not None
    assert narrow.stored.logits.dtype == torch.float32


@pytest.mark.parametrize(("classes", "rows"), [(2, 1 << 22), (1000, 16_743)])
def test_logits_and_labels_of_64_mib_are_in_memory_at_once(classes: int, rows: int) -> None:
    """Up to there a user finds torch's own mean, bit for bit; beyond, memory stays flat, however few the classes."""

    def streamed(samples: int) -> bool:
        logits = np.broadcast_to(np.float32(0.0), (samples, classes))
        return problem(logits, np.broadcast_to(np.int64(0), (samples,))).streamed

    assert not streamed(rows)
    assert streamed(rows + 1)


def test_probabilities_count_as_much_as_logits() -> None:
    numbers = np.broadcast_to(np.float32(0.0), ((1 << 23) + 1, 1))
    assert problem(numbers, numbers).streamed
    assert not problem(numbers[1:], numbers[1:]).streamed


SCORES = np.random.default_rng(1).normal(size=(12, 4)).astype(np.float32)
SHARES = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
NEGATIVE = np.where(np.arange(48).reshape(12, 4) == 37, np.float32(-1e-3), SHARES)  # row 9, class 1


def refusal(logits: Any, target: Any, **options: Any) -> str:
    """What is said when all blocks of a row each are read."""
    asked = problem(logits, target, **options)
    with pytest.raises(InputError) as caught:
        read(asked)
    return str(caught.value)


def read(asked: Problem) -> int:
    """How many samples there are, all read in blocks of a row."""
    asked.head()
    return sum(block.samples for block in replace(asked, block_bytes=1).blocks())


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (SCORES * 3, ("look like logits", "torch.softmax(target, 1)", "(row 0)")),
        (np.log(SHARES), ("look like log-probabilities", "target.exp()", "(row 0)")),
        (NEGATIVE, ("a target probability is negative", "[9, 1] (row 9)", "-0.001", "clamp(min=0)")),
        (np.abs(SCORES) * 4, ("look like logits",)),
    ],
    ids=["logits", "logarithms", "one negative number", "positive logits"],
)
def test_a_target_that_is_no_probabilities_is_refused(target: Any, words: tuple[str, ...]) -> None:
    """Logits given as labels had a loss of -28.874504, and exit code 0."""
    message = refusal(SCORES, target)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_negative_probability_is_found_where_it_is_stored(axis: int) -> None:
    """The place in the file, whichever axis the classes are on, and in whichever block."""
    target = np.moveaxis(NEGATIVE.reshape(4, 3, 4), 2, axis)
    logits = np.moveaxis(SCORES.reshape(4, 3, 4), 2, axis)
    place = [int(each) for each in np.argwhere(target < 0)[0]]
    assert f"{place} (row 9)" in refusal(logits, target, class_axis=axis)


def test_a_single_sample_with_a_negative_probability() -> None:
    """It has no batch axis."""
    assert "[2] (row 0)" in refusal(SCORES[0], np.array([0.5, 0.6, -0.1, 0.0]))


def test_swapped_files_are_told_as_a_command() -> None:
    """The hint is the same line with the two files the other way round."""
    assert "xent compute labels.npy logits.npy" in refusal(SHARES, SCORES)
    assert "this is the file of the logits" in refusal(SCORES, array(SCORES, "logits.npy"))


@pytest.mark.parametrize(
    "target",
    [
        np.zeros((12, 4)),
        SHARES,
        SHARES * np.float32(1.05),
        np.random.default_rng(1).uniform(size=(12, 4)),
        np.random.default_rng(1).multinomial(10, [0.25] * 4, 12).astype(float),
        np.full((12, 4), 10.0),
        SHARES[:, ::-1] * -0.0,
    ],
    ids=["ignored", "probabilities", "nearly", "sigmoids", "votes", "weights", "negative zeros"],
)
def test_odd_targets_that_mean_something_are_computed(target: Any) -> None:
    """Rows of zeros are ignored samples, votes and sigmoids have a loss; a warning says that they do not add up."""
    assert read(problem(SCORES, target)) == 12
