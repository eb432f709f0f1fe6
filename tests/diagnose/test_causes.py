"""Wrong losses, made by wrong implementations in plain torch, are traced to their mistake; other numbers are not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Case, cases
from wrong_losses import WRONG, draw, wrong_case

import xentcli
from xentcli.diagnose.causes.grammar import guesses
from xentcli.diagnose.causes.groups import GroupMeans
from xentcli.diagnose.codes import CODES
from xentcli.explain.shown import problem_of

CASES = 24  # of each cause in the long proof
LOGITS = [[0.5, 2.0, -1.0], [1.5, 0.25, 0.0], [-0.5, 0.0, 1.0], [2.0, -2.0, 0.5]]
LABELS = [1, 2, 0, 0]


def named(code: str, seed: int) -> list[str]:
    """The causes of a claim that this mistake made."""
    drawn, claim = wrong_case(code, seed)
    expectation = xentcli.compute(**drawn.call(), expect=claim).expectation
    assert expectation.holds is False
    return [cause.code for cause in expectation.causes]


def causes(expect: str, logits=LOGITS, labels=LABELS, **options) -> list[str]:
    found = xentcli.compute(logits, labels, expect=expect, **options).expectation.causes
    return [cause.code for cause in found]


@pytest.mark.parametrize("code", WRONG)
@pytest.mark.parametrize("seed", range(2))
def test_a_mistake_is_named(code: str, seed: int) -> None:
    """Whoever made it is told another one, or none."""
    assert named(code, seed)[0] == code


@pytest.mark.slow
@pytest.mark.parametrize("code", WRONG)
def test_a_mistake_is_named_whatever_the_input(code: str) -> None:
    """Shapes, dtypes and options of all kinds; if another mistake has the same digits, both are named.

    Two mistakes at once may be unnamed where four digits are too few.
    """
    found = [named(code, seed) for seed in range(100, 100 + CASES)]
    assert all(code in names for names in found if names)
    assert sum(names[:1] == [code] for names in found) >= (20 if code == "compound" else CASES - 1)


def blamed(seed: int) -> int:
    """Whether a number that has nothing to do with the input is given a cause: the true loss times 0.3 to 3."""
    rng = torch.Generator().manual_seed(seed)
    drawn = draw(rng, soft=seed % 5 == 0)
    right = float(drawn.loss())
    factor = 0.3 * 10 ** float(torch.rand((), generator=rng))
    claim = f"{right * factor:#.5g}".rstrip(".")
    return math.isfinite(right) and bool(xentcli.compute(**drawn.call(), expect=claim).expectation.causes)


@pytest.mark.slow
def test_a_random_number_has_no_cause() -> None:
    """An explanation that is always found explains nothing."""
    assert sum(map(blamed, range(100))) <= 2


@pytest.mark.slow
def test_of_a_thousand_random_numbers_ten_have_a_cause_at_most() -> None:
    """The same, often enough to measure it."""
    assert sum(map(blamed, range(1000, 2000))) <= 10


def test_a_number_without_a_cause_says_so() -> None:
    """Silence might mean that nothing was looked for."""
    report = xentcli.compute(LOGITS, LABELS, expect="1.98765")
    assert report.expectation.causes == ()
    assert report.exit_code() == 1


def test_too_few_digits_name_nothing() -> None:
    """A claim of one digit is some mistake's value almost surely."""
    assert causes("9") == []


INF = math.inf
STRANGE = {
    "an input of probability 0": ("inf", [[0.0, 1.0], [1.0, 0.0]], [0, 0], {}, "input-is-probs"),
    "log of negative logits": ("nan", [[-1.0, 1.0], [1.0, -2.0]], [0, 0], {}, "nll-on-raw"),
    "softmax underflow": ("inf", [[0.0, 105.0], [1.0, 0.0]], [0, 0], {"dtype": "float32"}, "softmax-underflow"),
    "exp overflow": ("nan", [[90.0, 89.0], [1.0, 0.0]], [0, 0], {"dtype": "float32"}, "exp-overflow"),
    "one-hot times −inf": ("nan", [[1.0, -INF, 0.0], [1.0, 0.0, 2.0]], [0, 0], {}, "masked-product"),
    "ignored NaN times 0": ("nan", [[math.nan, 1.0], [1.0, 0.0]], [-100, 0], {}, "ignored-counted"),
    "a sequence without labels": (
        "nan", [[[1.0, 2.0], [0.5, 0.0]], [[3.0, 1.0], [0.0, 1.0]]], [[0, 1], [-100, -100]], {}, "mean-of-group-means",
    ),
    "65520 samples in float16": ("0.0", [[0.0, 0.0]] * 65520, [0] * 65520, {"dtype": "float32"}, "low-precision"),
    "below what float32 adds to 1": ("0.0000000000", [[0.0, -20.0]], [0], {}, "low-precision"),
    "softmax over one sample": ("0.0", [[0.5, 1.0, 2.0]], [0], {}, "wrong-class-axis"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_infinity_nan_and_zero_are_explained(name: str) -> None:
    """The claims that hurt most have no digits to compare."""
    claim, logits, labels, options, code = STRANGE[name]
    assert code in causes(claim, logits, labels, **options)


def test_a_float32_printed_in_full_is_the_true_value() -> None:
    """A training script's last line, 0.14107215404510498, is no mistake."""
    value = torch.nn.functional.cross_entropy(torch.tensor(LOGITS), torch.tensor(LABELS)).item()
    assert causes(repr(value)) == ["float32-digits"]
    twice = torch.nn.functional.cross_entropy(torch.tensor(LOGITS).softmax(1), torch.tensor(LABELS)).item()
    (cause,) = xentcli.compute(LOGITS, LABELS, expect=repr(twice)).expectation.causes
    assert (cause.code, cause.match.kind) == ("softmax-twice", "float32")


def test_one_unit_in_the_last_digit_is_told_apart() -> None:
    """Cut off instead of rounded, by hand; the sum of the losses too."""
    exact = torch.nn.functional.cross_entropy(
        torch.tensor(LOGITS).double(), torch.tensor(LABELS), reduction="sum"
    ).item()
    off = f"{round(exact, 4) + 1e-4:.4f}"
    cause, *_ = xentcli.compute(LOGITS, LABELS, expect=off).expectation.causes
    assert (cause.code, cause.match.kind) == ("sum-instead-of-mean", "last digit")
    assert causes(f"{round(exact / 4, 4) + 1e-4:.4f}") == ["last-digit"]


LAST_DIGITS = {  # of −log(0.176396...), 1.73502...
    "1.7350": None,
    "1.7351": "rounded up instead of to the nearest",
    "1.7352": None,
    "1.736": "rounded up instead of to the nearest",
    "1.73": "cut off instead of rounded",
    "1.734": "but for one unit in the last digit printed",
    "1.8": None,
    "1.73501": "cut off instead of rounded",
}


@pytest.mark.parametrize(("claim", "way"), LAST_DIGITS.items())
def test_a_last_digit_is_called_what_it_is(claim: str, way: str | None) -> None:
    """1.7351 for 1.73502 was called cut off; a number of two digits has always some value one unit beside it."""
    gap = -math.log(math.expm1(1.735019))
    expectation = xentcli.compute([[gap, 0.0]], [0], expect=claim).expectation
    told = [cause for cause in expectation.causes if cause.code == "last-digit"]
    assert [way in cause.statement for cause in told] == [True] * (way is not None)
    assert all(0 < cause.match.chance < 0.02 for cause in told)


ROUND = [0.1, 0.2, 0.7]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shift", "least"), [(0.1, 0.2), (0.05, 0.01), (0.01, 0.01)])
def test_round_probabilities_prove_no_round_parameter(dtype: type, shift: float, least: float) -> None:
    """0.2 + 0.1 is 0.3: nobody need have added an epsilon of 0.1 who claims −log 0.3; 0.21 is told as a chance."""
    logits = np.log(np.array([ROUND], dtype))
    found = xentcli.compute(logits, [1], expect=f"{-math.log(0.2 + shift):.7f}").expectation.causes
    assert all(cause.match.chance >= least for cause in found)
    assert not found or least < 0.2


def test_a_mean_over_round_probabilities_is_one_of_a_round_product() -> None:
    """0.3 times 0.6 is 0.18, and so is 0.2 times 0.9."""
    claim = -(math.log(0.3) + math.log(0.6)) / 2
    assert causes(f"{claim:.7f}", np.log([ROUND, [0.5, 0.25, 0.25]]), [1, 0]) == []


def test_round_probabilities_do_not_hide_a_definite_mistake() -> None:
    """Textbook examples have round numbers, and mistakes as well."""
    assert causes(f"{-math.log(0.7):.7f}", np.log([ROUND]), [1])[0] == "labels-one-based"
    odd = np.log([[0.1234567, 0.2345678, 0.6419755]])
    assert causes(f"{-math.log(0.3345678):.7f}", odd, [1]) == ["eps-clip"]


def test_a_cause_speaks_of_this_input() -> None:
    """Words that would fit any input are no help."""
    exact = torch.nn.functional.cross_entropy(
        torch.tensor(LOGITS).double(), torch.tensor(LABELS), reduction="sum"
    ).item()
    cause, *_ = xentcli.compute(LOGITS, LABELS, expect=f"{exact:.6f}").expectation.causes
    assert cause.statement == f"the sum of the 4 losses: {exact:.8f}"
    assert cause.value == pytest.approx(exact, rel=1e-13)
    assert cause.match.kind == "digits"
    assert 0 < cause.match.chance < 1e-4


@pytest.mark.parametrize("code", ["mean-of-group-means", "labels-shifted", "wrong-class-axis", "low-precision"])
@pytest.mark.parametrize("seed", range(2))
def test_blocks_do_not_change_a_guess(code: str, seed: int) -> None:
    """A file larger than memory has the same causes."""
    drawn, _ = wrong_case(code, seed)
    call = {name: value for name, value in drawn.call().items() if value is not None}
    whole = problem_of(call)
    streamed = replace(whole, block_bytes=1)
    assert len(list(streamed.spans())) > 1
    left, right = ([(guess.mistakes, guess.value) for guess in guesses(problem)] for problem in (whole, streamed))
    assert [mistakes for mistakes, _ in left] == [mistakes for mistakes, _ in right]
    np.testing.assert_allclose([value for _, value in left], [value for _, value in right], rtol=1e-9, atol=1e-12)


@given(st.lists(st.tuples(st.floats(0, 9), st.sampled_from([0.0, 1.0, 2.5])), min_size=1, max_size=40), st.data())
def test_group_means_do_not_depend_on_how_rows_come(pairs: list[tuple[float, float]], data: st.DataObject) -> None:
    """A group that two blocks share is one group."""
    size = data.draw(st.integers(1, 12))
    losses, weights = np.array(pairs).T
    losses = losses * (weights > 0)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pairs)), max_size=4)))
    means = GroupMeans(size)
    for part in zip(np.split(losses, cuts), np.split(weights, cuts), strict=True):
        means.add(*part)
    expected = [
        losses[at : at + size].sum() / total
        for at in range(0, len(pairs), size)
        if (total := weights[at : at + size].sum())
    ]
    every, filled = means.means()
    assert filled == pytest.approx(np.mean(expected) if expected else math.nan, nan_ok=True)
    assert math.isnan(every) == (len(expected) < -(-len(pairs) // size))


@given(cases(), st.sampled_from(["1.234", "-0.5", "nan", "inf", "-inf", "0", "1e300", "3.1415927410125732"]))
@settings(max_examples=60)
def test_every_input_has_its_answer(case: Case, claim: str) -> None:
    """One sample, none, one class, ignored ones: a question about a false claim must not end in a traceback."""
    options = case.options | {"reduction": "sum" if case.options["reduction"] == "none" else case.options["reduction"]}
    report = xentcli.compute(case.logits, case.target, weight=case.weight, class_axis=case.class_axis,
                             **options, expect=claim)  # fmt: skip
    for cause in report.expectation.causes:
        assert cause.code in CODES
        assert cause.remedy
        assert cause.match is not None


EXTREMES = ["1e308", "-1e308", "1e999", "1e-999", "5e-324", "0e-900", "9" * 400, f"0.{'3' * 900}", f"2.99{'7' * 900}"]


@pytest.mark.parametrize("expect", EXTREMES, ids=lambda text: text[:12])
def test_a_claim_of_any_size_is_judged(expect: str) -> None:
    """A number that float64 has no room for ended in a traceback."""
    report = xentcli.compute(LOGITS, LABELS, expect=expect)
    assert report.expectation is not None
    assert (report.expectation.holds, report.exit_code()) == (False, 1)
