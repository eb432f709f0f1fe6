"""One sample told step by step: its numbers are torch's own, the true ones are true, and the parts make the whole."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import TYPE_CHECKING

import flint
import pytest
import torch
from explained import explained, path_steps, problem, problem_of, step
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import Case, cases

import xentcli
from xentcli.errors import Exit, InputError, UsageError
from xentcli.explain.run import explain
from xentcli.numbers.precision import PRECISIONS

if TYPE_CHECKING:
    from xentcli.records.explanation import Explanation

INF, NAN = math.inf, math.nan
PATHS = ("library", "manual")


def same(left: float | None, right: float | None) -> bool:
    return left == right or (left is not None and right is not None and math.isnan(left) and math.isnan(right))


def codes(told: Explanation) -> set[str]:
    return {finding.code for finding in told.findings}


def message(told: Explanation, code: str) -> str:
    return next(finding.message for finding in told.findings if finding.code == code)


@st.composite
def rows(draw: st.DrawFn) -> tuple[Case, int]:
    """A case and one of its rows."""
    case = draw(cases())
    samples = case.logits.numel() // case.logits.shape[case.class_axis]
    assume(samples)
    return case, draw(st.integers(0, samples - 1))


@given(rows())
@settings(max_examples=100)
def test_the_losses_are_those_of_compute_bit_for_bit(drawn: tuple[Case, int]) -> None:
    """Somebody who explains a row of a report must meet the very numbers of the report."""
    case, row = drawn
    keywords = case.keywords() | {"reduction": "none"}
    sample = xentcli.compute(case.logits, case.target, **keywords).samples[row]
    told = explain(problem_of(case), row)
    assert (told.row, told.label, told.ignored) == (row, sample.label, sample.ignored)
    assert same(told.losses.library.value, sample.library)
    assert same(told.losses.manual.value, sample.manual)
    if not told.ignored and sample.probability is not None:
        gathered = step(told, "gather").manual
        assert gathered is not None
        assert gathered.value == sample.probability


@given(rows())
@settings(max_examples=40)
def test_what_the_steps_add_is_the_error(drawn: tuple[Case, int]) -> None:
    """An account of lost digits that does not add up blames the wrong step."""
    told = explain(problem_of(drawn[0]), drawn[1], digits=40)
    assert told.losses.reference is not None
    assert told.losses.reference.decimal is not None
    for path in PATHS:
        adds = [each.adds for each in path_steps(told, path)]
        value = getattr(told.losses, path).value
        if None in adds or not math.isfinite(value):
            continue
        error = float(Fraction(value) - Fraction(told.losses.reference.decimal))
        greatest = max(abs(nats) for nats in adds)
        assert math.isclose(math.fsum(adds), error, rel_tol=1e-12, abs_tol=1e-14 * greatest)


@given(rows())
@settings(max_examples=40)
def test_true_numbers_are_arbs(drawn: tuple[Case, int]) -> None:
    """What is called true must come out of another library's proven arithmetic too."""
    told = explain(problem_of(drawn[0]), drawn[1])
    logits = [flint.arb(number.value) for number in step(told, "logits").classes]
    assume(len(logits) == told.classes)
    with flint.ctx.workprec(300):
        greatest = max(number.value for number in step(told, "logits").classes)
        shifts = [logit - greatest for logit in logits]
        exponentials = [shift.exp() for shift in shifts]
        total = sum(exponentials, flint.arb(0))
        expected = {
            "shift": shifts,
            "exponentials": exponentials,
            "probabilities": [each / total for each in exponentials],
            "log-softmax": [shift - total.log() for shift in shifts],
        }
        for name, numbers in expected.items():
            for number, ball in zip(step(told, name).classes, numbers, strict=True):
                assert number.true is not None
                assert flint.arb(number.true).overlaps(ball * (1 + flint.arb(0, 1e-16)))


@given(rows())
@settings(max_examples=30)
def test_gradients_are_within_their_bound_and_true(drawn: tuple[Case, int]) -> None:
    """A bound that correct gradients break, or a wrong formula, would teach something false."""
    case, row = drawn
    told = explain(problem_of(case), row)
    if told.gradient is None:
        assert told.ignored
        return
    if told.gradient.allowed is not None:
        assert told.gradient.error is not None
        assert told.gradient.error <= told.gradient.allowed
    if told.losses.library.status == "within":
        exact = [number.true for number in told.gradient.classes]
        assert None not in exact
        if len(exact) == told.classes:
            assert abs(math.fsum(map(float, exact))) <= 1e-14 * max(1.0, *(abs(float(each)) for each in exact))


def test_true_gradient_is_p_minus_y() -> None:
    """The formula every student is asked for."""
    told = explained([[2.0, 0.0, -1.0]], [1])
    probabilities = [float(number.true or NAN) for number in step(told, "probabilities").classes]
    assert told.gradient is not None
    for number, probability, one_hot in zip(told.gradient.classes, probabilities, (0, 1, 0), strict=True):
        assert float(number.true or NAN) == pytest.approx(probability - one_hot, rel=1e-15)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_steps_are_off_by_what_their_kernels_may_err(dtype: str) -> None:
    """Units of the wrong format's last place would be off by powers of two."""
    told = explained(torch.randn(1, 8, generator=torch.Generator().manual_seed(5)).to(getattr(torch, dtype)), [3])
    precision = PRECISIONS[dtype]
    for name, limit in (("logits", 0.0), ("shift", 0.5), ("exponentials", 2.0 + 4.0)):
        assert all(number.ulp is not None and number.ulp <= limit for number in step(told, name).classes)
    stored_once = 0.51 if precision.is_half else 8.0
    assert all(number.ulp is not None and number.ulp <= stored_once for number in step(told, "probabilities").classes)
    assert any(number.ulp for number in step(told, "probabilities").classes)


def test_underflow_is_named_where_it_happens() -> None:
    """The one lesson of the confident wrong answer: exp, not log, is what fails."""
    told = explained([[120.0, 0.0, -3.0]], [1], dtype="float32")
    assert told.lost_at == {"library": None, "manual": "exponentials"}
    assert message(told, "softmax-underflow").startswith(
        "exp(-120) = 7.6676e-53 is below the smallest float32, 1.4e-45: it becomes 0, and -log 0 is infinite"
    )
    exponentials = step(told, "exponentials")
    assert exponentials.manual is not None
    assert exponentials.manual.adds == INF
    assert exponentials.library is not None
    assert exponentials.library.adds == 0.0
    assert {"zero-times-infinity", "manual-gradient"} <= codes(told)
    assert told.class_sum is not None
    assert math.isnan(told.class_sum.manual)
    assert told.class_sum.library == 120.0
    assert told.exit_code() == Exit.HOLDS


def test_a_probability_that_cannot_be_stored_is_told_from_an_exponential() -> None:
    """In 16 bits the exponential is a float32 and survives; it is the storing that fails."""
    told = explained([[0.0, 17.0, 17.0]], [0], dtype="float16")
    assert told.lost_at["manual"] == "probabilities"
    assert message(told, "softmax-underflow").startswith("p[0] = 2.07e-8 is below the smallest float16, 6e-08")


def test_underflow_of_another_class_is_named_with_label_smoothing() -> None:
    """The label may be the surest of all: with smoothing every class is taken the logarithm of."""
    told = explained([[0.0, 120.0]], [1], dtype="float32", label_smoothing=0.1)
    assert message(told, "softmax-underflow").startswith("exp(-120)")


def test_a_shift_beyond_the_format_is_named() -> None:
    """Finite logits may be further apart than the format reaches."""
    told = explained([[3e38, -3e38]], [1], dtype="float32")
    assert set(told.lost_at.values()) == {"shift"}
    assert "x - max x = -6e+38 is beyond the largest float32" in message(told, "softmax-underflow")


def test_a_sum_beyond_float16_is_named() -> None:
    """65,520 equal classes: log_softmax stores the sum in float16, softmax does not."""
    told = explained(torch.zeros(1, 65520).half(), [0])
    assert told.lost_at["library"] == "sum"
    assert message(told, "library-overflow") == "library overflows: S = 65520 is beyond the largest float16, 65504"
    assert told.losses.manual.status == "within"


def test_a_subnormal_probability_is_named_with_its_bits() -> None:
    """Between the normal numbers and 0 digits go one by one."""
    told = explained([[0.0, 95.0]], [0], dtype="float32")
    assert "only 12 of its 24 bits are left" in message(told, "subnormal-probability")
    assert told.lost_at["manual"] == "exponentials"


def test_a_masked_class_costs_nothing_and_a_masked_label_everything() -> None:
    """-inf is a legal logit, as long as it is not the label's."""
    told = explained([[1.5, -INF, 0.25]], [0])
    assert told.losses.library.status == told.losses.manual.status == "within"
    assert codes(told) >= {"zero-times-infinity"}
    assert step(told, "probabilities").classes[1].true == "0"
    label = explained([[1.5, -INF, 0.25]], [1])
    assert "infinite-loss" in codes(label)
    assert label.losses.reference is not None
    assert label.losses.reference.decimal == "inf"


@pytest.mark.parametrize(
    ("logits", "why"),
    [
        ([0.0, NAN, 1.0], "the logit of class 1 is nan"),
        ([0.0, INF, 1.0], "the logit of class 1 is inf"),
        ([-INF, -INF, -INF], "all logits are -inf"),
    ],
)
def test_nan_has_a_reason(logits: list[float], why: str) -> None:
    """A NaN that nobody explains costs a day."""
    told = explained([logits], [0])
    assert message(told, "nan-loss").startswith(why)
    assert told.exit_code() == Exit.DIFFERS
    assert told.gradient is not None
    assert told.gradient.error is None


def test_a_share_of_nothing_on_a_masked_class_is_nan_by_definition() -> None:
    """0 times infinity: torch's own answer, which is not our paths' fault."""
    told = explained([[0.0, -INF]], [[1.0, 0.0]])
    assert "0 times infinity is NaN" in message(told, "nan-loss")


@pytest.mark.parametrize("logits", [[0.5, 1.5], [NAN, 1.0]])
def test_an_ignored_sample_is_0_and_right(logits: list[float]) -> None:
    """Padding must not fail a job, whatever stands in its logits."""
    told = explained([logits], [-100])
    assert told.ignored
    assert codes(told) == {"ignored"}
    assert told.gradient is told.class_sum is told.surprisal is None
    assert (told.losses.library.value, told.losses.manual.value) == (0.0, 0.0)
    assert told.exit_code() == Exit.HOLDS


def test_the_cast_is_told_apart() -> None:
    """What --dtype takes is not the paths' error."""
    logits = torch.tensor([[0.1, 0.2, 0.3]])
    wide = explained(logits, [0], cast="float64")
    assert wide.stored == ()
    assert wide.cast is None
    narrow = explained(logits, [0], cast="bfloat16")
    assert narrow.cast is not None
    assert narrow.cast.lower <= narrow.cast.effect <= narrow.cast.upper
    assert narrow.cast.effect != 0.0
    assert [number.value for number in narrow.stored] == logits[0].tolist()
    assert all(number.ulp is not None and 0.0 < number.ulp <= 0.5 for number in narrow.stored)


def test_without_a_row_the_worst_one_is_told() -> None:
    """The row that --row is left out for is the one that fails the job."""
    logits, labels = torch.randn(40, 5, generator=torch.Generator().manual_seed(1)), torch.zeros(40, dtype=torch.int64)
    logits[23, 1] = 130.0
    told = explain(problem(logits, labels))
    assert (told.row, told.worst) == (23, True)
    assert not explain(problem(logits, labels), 23).worst


@pytest.mark.parametrize("row", [None, 0, 17, 39])
def test_streaming_tells_the_same(row: int | None) -> None:
    """A row of a file that takes many blocks is the same row."""
    logits = 4 * torch.randn(40, 5, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(40) % 5
    assert explain(problem(logits, labels, block_bytes=100), row) == explain(problem(logits, labels), row)


def test_rows_are_numbered_in_c_order() -> None:
    """A position of a batch of sequences must be found again."""
    labels = torch.arange(12).reshape(3, 4) % 5
    told = explained(torch.randn(3, 4, 5), labels, 6, class_axis=-1)
    assert (told.index, told.label) == ((1, 2), int(labels[1, 2]))


def test_a_row_beyond_the_last_is_one_clear_error() -> None:
    """Counting from 1 is the commonest mistake there is."""
    with pytest.raises(UsageError, match="there is no row 4") as caught:
        explained([[0.0, 1.0]] * 4, [0] * 4, 4)
    assert caught.value.details["found"] == "4 rows, counted from 0"
    assert caught.value.details["expected"] == "at most 3"
    with pytest.raises(InputError, match="no rows to explain"):
        explained(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), None)


def test_of_many_classes_those_that_matter_are_shown() -> None:
    """The label of a vocabulary is shown however improbable it is, and so is what was predicted instead."""
    logits = torch.zeros(1, 1000)
    logits[0, 700], logits[0, 3] = 9.0, -9.0
    told = explained(logits, [3])
    shown = [number.index for number in step(told, "logits").classes]
    assert {3, 700} <= set(shown)
    assert shown == sorted(shown)
    assert len(shown) == 6
    assert told.classes == 1000


def test_more_classes_than_can_be_followed_are_said_to_be() -> None:
    """An account that is missing must not look like one without loss."""
    told = explained(torch.zeros(1, 2049), [3], label_smoothing=0.1)
    assert "not-followed" in codes(told)
    assert all(each.adds is None for path in PATHS for each in path_steps(told, path))
    assert "not-followed" not in codes(explained(torch.zeros(1, 2048), [3], label_smoothing=0.1))


def test_a_class_sum_is_the_loss() -> None:
    """The one-hot form is the same number, which is why both are taught."""
    told = explained([[2.0, 0.5, -1.0]], [0])
    assert told.class_sum is not None
    assert told.class_sum.manual == told.losses.manual.value
    assert [term.target for term in told.class_sum.terms] == [1.0, 0.0, 0.0]
    weighed = explained([[2.0, 0.5, -1.0]], [0], weight=[0.5, 1.0, 2.0], label_smoothing=0.25)
    assert weighed.class_sum is not None
    coefficients = [term.coefficient for term in weighed.class_sum.terms]
    assert coefficients == pytest.approx([0.5 * (0.75 + 0.25 / 3), 1.0 * 0.25 / 3, 2.0 * 0.25 / 3], rel=1e-15)
    assert weighed.class_sum.manual == pytest.approx(weighed.losses.manual.value, rel=1e-14)


def test_digits_are_as_many_as_asked_for() -> None:
    """log 2 to fifty digits, from any table."""
    told = explained([[0.0, 0.0]], [0], digits=50)
    assert told.losses.reference is not None
    assert told.losses.reference.decimal == "0.69314718055994530941723212145817656807550013436026"


@given(rows())
@settings(max_examples=25)
def test_the_json_is_strict_and_complete(drawn: tuple[Case, int]) -> None:
    """Parsers without NaN must read every explanation."""
    told = explain(problem_of(drawn[0]), drawn[1])
    content = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    assert list(content)[:3] == ["schema_version", "tool", "command"]
    assert content["schema_version"] == "2.0"
    assert content["command"] == "explain"
    assert len(content["steps"]) == len(told.steps)
