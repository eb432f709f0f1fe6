"""What random rounding makes: torch's own losses keep to it, and errors that the proof must allow do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from families import FAMILIES, draw
from torch_paths import library, model, tensor, widened

import xentcli
from xentcli.bounds.library import library_bound
from xentcli.bounds.model import LossForm
from xentcli.bounds.probable import probable_rows, probable_total
from xentcli.losses.reference import enclose
from xentcli.numbers.precision import FLOAT32, PRECISIONS

WIDE = 50_257


def found(report: xentcli.Report) -> set[str]:
    return {finding.code for finding in report.findings}


def check_rows(name: str, precision, rows: int, classes: int, seed: int) -> int:
    """No right row is called unlikely; how many were asked."""
    logits, labels = draw(name, np.random.default_rng(seed), rows, classes, precision)
    enclosed, shape = enclose(logits, labels), model(precision)
    likely = probable_rows("library", shape, enclosed, LossForm(), logits=logits, values=rows)
    if likely is None:
        return 0
    values = widened(library(tensor(logits, precision), torch.from_numpy(labels), 0))
    with np.errstate(invalid="ignore"):
        error = np.abs(values - enclosed.loss) - enclosed.radius
    assert not (np.isfinite(enclosed.loss) & (error > likely)).any(), (name, precision.name, classes)
    return int(np.isfinite(likely).sum())


@pytest.mark.parametrize("precision", [FLOAT32, PRECISIONS["float64"]], ids=lambda precision: precision.name)
@pytest.mark.parametrize("name", FAMILIES)
def test_torchs_rows_are_likely(name: str, precision) -> None:
    """A warning over torch's own rounding would be read once and never again."""
    check_rows(name, precision, 4, WIDE, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_many_of_torchs_rows_are_likely(name: str) -> None:
    """The same for long; of rows that are asked at all."""
    for classes in (4_000, 20_000, WIDE, 200_000):
        for precision in (FLOAT32, PRECISIONS["float64"]):
            for seed in range(4):
                check_rows(name, precision, max(10, 2_000_000 // classes), classes, seed)


def check_totals(name: str, rng: np.random.Generator, runs: int) -> None:
    for _ in range(runs):
        precision = PRECISIONS[rng.choice(["float32", "float64", "bfloat16", "float16"])]
        classes = int(rng.choice([2, 10, 40, 300]))
        logits, labels = draw(name, rng, max(200, 20_000 // classes), classes, precision)
        logits, target, options = tensor(logits, precision), torch.from_numpy(labels), {}
        form = rng.integers(4)
        if form == 1:
            options["label_smoothing"] = 0.1
        if form == 2:
            options["weight"] = (torch.rand(classes) + 0.1).to(logits.dtype)
        if form == 3:
            target = torch.softmax(torch.randn(len(logits), classes), 1).to(logits.dtype)
        report = xentcli.compute(logits, target, reduction=rng.choice(["mean", "sum"]), **options)
        assert not found(report) & {"unlikely-rounding", "library-wrong", "manual-wrong"}, (name, report.findings)


@pytest.mark.parametrize("name", FAMILIES)
def test_torchs_totals_are_likely(name: str) -> None:
    """The same of sums and means."""
    check_totals(name, np.random.default_rng(0), 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_many_of_torchs_totals_are_likely(name: str) -> None:
    """The same for long: 10,000 totals and more."""
    check_totals(name, np.random.default_rng(1), 600)


@pytest.mark.parametrize(("classes", "rows"), [(100, 30_000), (300, 8000)])
@pytest.mark.parametrize("name", ["underflow edge", "one against equals", "one-hot right", "ties"])
def test_totals_of_many_alike_rows_are_likely(name: str, classes: int, rows: int) -> None:
    """Rows near underflow err in one direction, by a seventh of what is proven: in many of them no chance is left."""
    for seed in range(3):
        logits, labels = draw(name, np.random.default_rng(seed), rows, classes, FLOAT32)
        for reduction in ("sum", "mean"):
            report = xentcli.compute(tensor(logits, FLOAT32), torch.from_numpy(labels), reduction=reduction)
            assert "unlikely-rounding" not in found(report), (seed, reduction, report.findings)


def shares(change) -> tuple[float, float]:
    """How many rows of a wrong loss are outside of the proven bound, and of the probable one."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (40, WIDE)).astype(np.float32)
    labels = rng.integers(0, WIDE, 40)
    rows, shape, form = enclose(logits, labels), model(FLOAT32), LossForm()
    values = change(torch.from_numpy(logits), torch.from_numpy(labels)).double().numpy()
    error = np.abs(values - rows.loss)
    likely = probable_rows("library", shape, rows, form, logits=logits, values=len(rows.loss))
    return float((error > library_bound(shape, rows, form).allowed).mean()), float((error > likely).mean())


WRONG = {
    "logits through float16": lambda logits, labels: torch.nn.functional.cross_entropy(
        logits.half().float(), labels, reduction="none"
    ),
    "a probability softened by 1e-8": lambda logits, labels: (
        -torch.log(torch.softmax(logits, 1).gather(1, labels[:, None])[:, 0] + 1e-8)
    ),
    "smoothing of 1e-4 left on": lambda logits, labels: torch.nn.functional.cross_entropy(
        logits, labels, reduction="none", label_smoothing=1e-4
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_the_probable_bound_catches_more(fault: str) -> None:
    """Else the second bound would be a word."""
    proven, probable = shares(WRONG[fault])
    assert proven < probable
    assert probable > 0.9


def test_a_bias_within_every_rows_bound_is_caught_in_their_mean() -> None:
    """Each row may be off by so much; a thousand rows in one direction may not."""
    assert 0.5 > probable_total(1.0, 1e-3, 0.0) > 0.4
    assert probable_total(1.0, 1.0, 0.0) > 1.0  # one row alone


def test_a_biased_library_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: every row is within, the verdict stands, and the warning is there, for --strict as well."""
    from xentcli.losses import library as path

    right = path.cross_entropy

    def padded(block, *options):
        padding = torch.full((len(block.logits), 1), -11.7)
        return right(replace(block, logits=torch.cat((block.logits, padding), 1)), *options)

    monkeypatch.setattr(path, "cross_entropy", padded)
    generator = torch.Generator().manual_seed(0)
    logits, labels = 0.3 * torch.randn(3000, 10, generator=generator), torch.randint(10, (3000,), generator=generator)
    report = xentcli.compute(logits, labels)
    assert report.losses.library.status == "within"
    assert "unlikely-rounding" in found(report)
    monkeypatch.undo()
    assert "unlikely-rounding" not in found(xentcli.compute(logits, labels))
