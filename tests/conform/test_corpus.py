"""The corpus is data that others rely on: it fits its schema, and its digits are the truth."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from flint import arb, ctx
from json_schema import fits
from torch.nn import functional

from xentcli.conform.building.__main__ import FAMILIES, main
from xentcli.conform.cases.corpus import FOLDER, content, corpus
from xentcli.conform.cases.layouts import LAYOUTS, laid_out
from xentcli.conform.cases.recipes import make
from xentcli.conform.doubles.textbook import Textbook
from xentcli.conform.judging.judge import Question
from xentcli.conform.judging.slopes import CertifiedSlope
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from xentcli.conform.cases.case import Case, Inputs

SCHEMA = json.loads((FOLDER / "schema.json").read_text())
ENTRIES = {entry["name"]: entry for entry in content()["cases"]}
SMALL = [case for case in corpus().cases if ENTRIES[case.name]["certified"] and "file" in ENTRIES[case.name]["logits"]]


def test_the_corpus_fits_its_schema() -> None:
    """A reader in another language writes a parser from the schema."""
    assert fits(content(), SCHEMA, SCHEMA)


def test_the_schema_would_notice() -> None:
    """A schema that fits everything says nothing."""
    broken = json.loads(json.dumps(content()))
    broken["cases"][5]["logits"]["dtype"] = "float8"
    assert not fits(broken, SCHEMA, SCHEMA)
    broken = json.loads(json.dumps(content()))
    broken["cases"][5]["certified"]["loss"][0] = "0.69 or so"
    assert not fits(broken, SCHEMA, SCHEMA)


def test_names_are_unique_and_every_family_has_cases() -> None:
    """A case is known by its name in lists of expected failures."""
    names = [entry["name"] for entry in content()["cases"]]
    assert len(set(names)) == len(names)
    assert {case.family for case in corpus().cases} == set(corpus().families) == {name for name, _, _ in FAMILIES}


def test_a_case_can_be_chosen_by_its_own_name() -> None:
    """Whoever mends one failure asks that one again, and not its family."""
    chosen = corpus().chosen(["ties/float16"], [], large=False)
    assert [case.name for case in chosen if case.family != "smoke"] == ["ties/float16"]
    left = corpus().chosen(["ties"], ["ties/float16"], large=False)
    assert len(left) == len(corpus().chosen(["ties"], [], large=False)) - 1
    with pytest.raises(UsageError, match="no family or case 'smothing'") as error:
        corpus().chosen(["smothing"], [], large=False)
    assert "did you mean smoothing?" in str(error.value)


def test_an_index_that_wraps_meets_another_row() -> None:
    """Row 32,768 begins at element 2^31; a wrapped index finds row 0, or row 1 by the end, neither its equal."""
    (case,) = (case for case in corpus().cases if case.name == "sizes/2147549184-elements")
    rows, classes = case.load().logits.shape
    assert case.rows is not None
    assert case.rows * classes > 1 << 31
    assert len({32768 % rows, 0, -32768 % case.rows % rows}) == 3
    assert case.large


def test_every_report_is_a_public_page() -> None:
    """A case that nobody ever met in the wild must not claim so."""
    pages = {page for case in corpus().cases for page in case.reports}
    assert len(pages) > 30
    assert all(re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", page) for page in pages)


def test_the_corpus_is_small() -> None:
    """It is in everybody's installation."""
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 2_000_000


def log_probabilities(row: list[float]) -> list[arb]:
    finite = [arb(each) for each in row if each > -math.inf]
    greatest = max(each for each in row if each > -math.inf)
    log_sum = sum(((each - greatest).exp() for each in finite), arb(0)).log()
    return [arb(each) - greatest - log_sum if each > -math.inf else None for each in row]


def ball(number: Fraction) -> arb:
    return arb(number.numerator) / number.denominator


class Sample(NamedTuple):
    logs: list[arb | None]
    target: list[Fraction]
    coefficients: list[Fraction]
    weight: list[Fraction]
    smoothing: Fraction


def slope_of_logits(of: Sample) -> list[arb]:
    total = ball(sum(of.coefficients, Fraction(0)))
    chances = [arb(0) if log is None else log.exp() for log in of.logs]
    return [total * chance - ball(own) for chance, own in zip(chances, of.coefficients, strict=True)]


def slope_of_target(of: Sample) -> list[arb]:
    return [-ball(weight * (1 - of.smoothing)) * log for weight, log in zip(of.weight, of.logs, strict=True)]


def slope_of_weight(of: Sample) -> list[arb]:
    even = of.smoothing / len(of.logs)
    return [-ball((1 - of.smoothing) * q + even) * log for q, log in zip(of.target, of.logs, strict=True)]


SLOPES = {"logits": slope_of_logits, "target": slope_of_target, "weight": slope_of_weight}


def of_weights(case: Case, targets: list[Any], slopes: list[list[arb]], losses: list[Any], scale: arb) -> list[Any]:
    """The rows' sum, less what a weighted mean of labels loses as its denominator grows."""
    moves = case.reduction == "mean" and case.load().has_labels
    mean = sum(losses, arb(0)) * scale * scale
    known = [each for each in targets if each is not None]
    counts = [sum((each[c] for each in known), Fraction(0)) if moves else Fraction(0) for c in range(len(slopes[0]))]
    columns = zip(zip(*slopes, strict=True), counts, strict=True)
    return [[sum(column, arb(0)) - mean * ball(count) for column, count in columns]]


def by_arb(case: Case, inputs: Inputs) -> tuple[list[arb | None], list[list[arb]]]:
    """The losses and gradients of the samples, by Arb and torch's documentation; None for what is not finite."""
    axis = min(1, inputs.logits.ndim - 1)
    classes = inputs.logits.shape[axis]
    rows = inputs.logits.double().movedim(axis, -1).reshape(-1, classes).tolist()
    weight = [Fraction(1)] * classes if inputs.weight is None else list(map(Fraction, inputs.weight.tolist()))
    smoothing = Fraction(case.label_smoothing)
    if inputs.has_labels:
        labels = inputs.target.long().reshape(-1).tolist()
        targets = [None if y == case.ignore_index else [Fraction(c == y) for c in range(classes)] for y in labels]
        share = [Fraction(0) if y == case.ignore_index else weight[y] for y in labels]
    else:
        soft = inputs.target.double().movedim(axis, -1).reshape(-1, classes).tolist()
        targets, share = [list(map(Fraction, row)) for row in soft], [Fraction(1)] * len(soft)
    scale = ball(1 / sum(share)) if case.reduction == "mean" and sum(share) else arb(1)
    upstream = [1.0] if inputs.upstream is None else inputs.upstream.double().reshape(-1).tolist()
    losses: list[arb | None] = []
    slopes: list[list[arb]] = []
    for number, (row, target) in enumerate(zip(rows, targets, strict=True)):
        if target is None:
            losses.append(arb(0))
            continue
        if not all(each < math.inf for each in row) or max(row) == -math.inf:
            losses.append(None)
            continue
        logs = log_probabilities(row)
        a = [weight[c] * ((1 - smoothing) * target[c] + smoothing / classes) for c in range(classes)]
        known = all(log is not None or (not a[c] and inputs.has_labels) for c, log in enumerate(logs))
        losses.append(-sum((ball(x) * log for x, log in zip(a, logs, strict=True) if x), arb(0)) if known else None)
        s = scale * upstream[number if len(upstream) > 1 else 0]
        of_sample = Sample(logs, target, a, weight, smoothing)
        slopes.append([s * each for each in SLOPES[inputs.variable](of_sample)])
    if inputs.variable == "weight":
        slopes = of_weights(case, targets, slopes, losses, scale)
    if case.reduction != "none":
        finite = [each for each in losses if each is not None]
        empty = case.reduction == "mean" and not sum(share)
        losses = [sum(finite, arb(0)) * scale if len(finite) == len(losses) and not empty else None]
    return losses, slopes


def agrees(digits: str, true: arb, places: int) -> bool:
    """Whether the true value is within the last place of these digits."""
    printed = Fraction(digits)
    allowed = Fraction(1, 10**places) * abs(printed)
    return bool(abs(true - ball(printed)) <= ball(allowed) * 6) or (not printed and bool(abs(true) < arb("1e-1000")))


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_the_certified_digits_are_true(case: Case) -> None:
    """A C++ project compares its kernel with these digits and with nothing else."""
    certified, inputs = ENTRIES[case.name]["certified"], case.load()
    with ctx.workprec(4000):
        losses, slopes = by_arb(case, inputs)
        assert len(certified["loss"]) == len(losses)
        for digits, true in zip(certified["loss"], losses, strict=True):
            assert (digits in {"nan", "inf", "-inf"}) == (true is None)
            assert true is None or agrees(digits, true, certified["digits"])
        for printed, exact in zip(
            certified.get("gradient", []), slopes if "gradient" in certified else [], strict=True
        ):
            assert all(agrees(digits, true, certified["digits"]) for digits, true in zip(printed, exact, strict=True))


LARGE = [
    case for case in corpus().cases
    if (ENTRIES[case.name]["certified"] or {}).get("entries") and case.family in {"gradient-classes", "masked-blocks"}
]  # fmt: skip


@pytest.mark.parametrize("case", [case for case in LARGE if not case.label_smoothing], ids=lambda case: case.name)
def test_entries_of_large_gradients_are_true(case: Case) -> None:
    """A gradient of 50,257 classes is held to a float64 one, whose radius and whose digits must be the truth's."""
    inputs, question = case.load(), Question.of(case)
    assert question.slope is not None
    entries = ENTRIES[case.name]["certified"]["entries"]
    row, classes = entries[-1]["row"], inputs.block.classes
    entries = [entry for entry in entries if entry["row"] == row]
    rows = inputs.logits.double().movedim(1, -1).reshape(-1, classes)[row].tolist()
    label = int(inputs.target.reshape(-1)[row])
    scale = Fraction(1, inputs.block.samples if case.reduction == "mean" else 1)
    with ctx.workprec(160):
        greatest = arb(max(rows))
        masses = [arb(0) if each == -math.inf else (arb(each) - greatest).exp() for each in rows]
        others = sum((mass for c, mass in enumerate(masses) if c != label), arb(0))
        total = others + masses[label]
        for entry in entries:
            at, printed = entry["class"], entry["gradient"]
            true = ball(scale) / total * (-others if at == label else masses[at])
            assert agrees(printed, true, 25)
            value, radius = question.slope.value[row, at], question.slope.radius[row, at]
            assert bool(abs(true - arb(float(value))) <= arb(float(radius)))


@pytest.mark.parametrize("case", [case for case in corpus().cases if case.gradient and not case.large
                                  and case.family != "gradient-ignored"], ids=lambda case: case.name)  # fmt: skip
def test_certified_gradients_are_those_of_autograd(case: Case) -> None:
    """A slip in the scale, the layout or the sign would fail every kernel; torch differentiates in float64."""
    question = Question.of(case)
    assert question.slope is not None
    arrays = {name: array.double() if array.is_floating_point() else array.long()
              for name, array in question.inputs.named().items()}  # fmt: skip
    leaf = arrays[question.inputs.variable].requires_grad_()
    function = (
        Textbook() if question.inputs.variable == "weight" else functional.cross_entropy
    )  # torch refuses that of labels
    loss = function(arrays["logits"], arrays["target"], weight=arrays.get("weight"), **case.keywords())
    upstream = torch.ones_like(loss) if "upstream" not in arrays else arrays["upstream"]
    (slope,) = torch.autograd.grad(loss, leaf, upstream)
    truth = question.slope.value[: len(leaf)] if case.rows else question.slope.value
    found = CertifiedSlope(truth, truth, {}).laid_out(slope, question.inputs.block.class_dim)
    np.testing.assert_allclose(found, truth, rtol=1e-9, atol=1e-13)


def test_wrong_digits_would_be_noticed() -> None:
    """The comparison above is close, not only right."""
    with ctx.workprec(4000):
        assert agrees("0.6931471805599453094172321", arb(2).log(), 25)
        assert not agrees("0.6931471805599453094172331", arb(2).log(), 25)


@pytest.mark.slow
def test_the_corpus_is_what_its_script_writes(tmp_path: Any) -> None:
    """A change of the script that was not run would be lost with the next one."""
    main(tmp_path)
    assert json.loads((tmp_path / "corpus.json").read_text()) == content()
    for path in (FOLDER / "arrays").iterdir():
        assert (tmp_path / "arrays" / path.name).read_bytes() == path.read_bytes()


def test_recipes_are_the_integers_that_the_page_says() -> None:
    """Another language makes the same array from two lines of the README."""
    spread = make({"recipe": "spread", "shape": [3, 5], "dtype": "float64", "scale": 6.0}).reshape(-1).tolist()
    assert spread == [6.0 * ((i * 2654435761 % 2**32) / 2**32 - 0.5) for i in range(15)]
    cycle = make({"recipe": "cycle", "shape": [9], "dtype": "int64", "classes": 7}).tolist()
    assert cycle == [((i * 2654435761 % 2**32) >> 16) % 7 for i in range(9)]
    ramp = make({"recipe": "ramp", "shape": [2, 5], "dtype": "float64", "scale": -40.0}).tolist()
    assert ramp == [[-40.0 * (c / 5) for c in range(5)]] * 2
    masked = make({"recipe": "constant", "shape": [2, 4], "dtype": "float32", "value": 1.0, "masked": [1, 3]}).tolist()
    assert masked == [[1.0, -math.inf, -math.inf, 1.0]] * 2


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4)])
def test_layouts_keep_the_numbers(layout: Any, shape: tuple[int, ...]) -> None:
    """A layout that changed a number would fail every implementation."""
    values = torch.arange(float(math.prod(shape))).reshape(shape)
    values = values[:1].expand(shape).clone() if layout == "expanded" else values
    other = laid_out(values, layout)
    assert torch.equal(other, values)
    assert other.data_ptr() != values.data_ptr()
    contiguous = layout in {"contiguous", "offset"} or (layout == "padded" and len(shape) == 1)
    contiguous = contiguous or (layout == "channels-last" and len(shape) == 2)
    assert other.is_contiguous() == contiguous
