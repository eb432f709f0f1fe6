"""The last line and its verdict: what was asked is answered first, and the exit code says the same in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from report_factory import agreeing

import xentcli
from xentcli.diagnose.answer import answered, noticed, strictly
from xentcli.records.report import EXITS, STATUSES, Expectation, Finding, is_at_fault
from xentcli.render.page import Page
from xentcli.render.registry import TEXTS, render
from xentcli.render.wording import verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.records.report import Judgement, Report, Status

RUNS = 60
PAGE = Page(width=80, color=False)
INF = float("inf")


def text(report: Report, form: str) -> str:
    return "".join(piece for piece in render(report, form, PAGE) if isinstance(piece, str))


def drawn(seed: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, dict[str, str]]:
    """Logits of a real size, their labels and a reduction."""
    rng = torch.Generator().manual_seed(seed)
    rows, classes = (int(torch.randint(1, most, (), generator=rng)) for most in (40, 30))
    logits = (torch.randn(rows, classes, generator=rng) * 4.0 ** (seed % 5 - 2)).to(dtype)
    return logits, torch.randint(classes, (rows,), generator=rng), {"reduction": ["mean", "sum"][seed % 2]}


def numpys(loss: torch.Tensor) -> str:
    return str(loss.numpy()[()])


PRINTS: dict[str, Callable[[torch.Tensor], str]] = {
    "item": lambda loss: repr(loss.item()), "torch": repr, "numpy": numpys, "format": lambda loss: f"{loss:.6f}",
}  # fmt: skip


@pytest.mark.parametrize("printed", PRINTS.values(), ids=PRINTS)
def test_what_torch_prints_of_a_right_float32_loss_holds(printed: Callable[[torch.Tensor], str]) -> None:
    """Whoever pastes `loss.item()` is told that torch is wrong, in every case."""
    for seed in range(RUNS):
        logits, labels, options = drawn(seed, torch.float32)
        claim = printed(torch.nn.functional.cross_entropy(logits, labels, **options))
        report = xentcli.compute(logits, labels, expect=claim, rows=0, **options)
        assert (report.verdict, report.exit_code()) == ("holds", 0), (seed, report.summary)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_what_torch_prints_of_a_right_loss_of_any_dtype_holds(dtype: torch.dtype) -> None:
    """A 16-bit loss has three digits, and `.item()` shows ten."""
    for seed in range(20):
        logits, labels, options = drawn(seed, dtype)
        loss = torch.nn.functional.cross_entropy(logits, labels, **options)
        for claim in (repr(loss.item()), repr(loss)):
            assert xentcli.compute(logits, labels, expect=claim, rows=0, **options).verdict == "holds", (seed, claim)


def test_the_line_says_that_it_is_the_librarys_own_result() -> None:
    """A reader takes 2.9977047443389893 for the true value to 17 digits."""
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 10), torch.randint(10, (4,))
    report = xentcli.compute(logits, labels, expect=torch.nn.functional.cross_entropy(logits, labels).item())
    assert re.match(r"the claim [\d.]+ is the library's own result; the true mean is [\d.]+; ", report.summary)
    assert report.expectation is not None
    assert report.expectation.of_library
    assert xentcli.compute(logits, labels, expect="3").expectation.of_library is False


def test_a_wrong_library_proves_no_claim() -> None:
    """torch's float16 infinity, and a loss outside the tolerance that was given, are no truth for being torch's."""
    assert xentcli.compute([[0.0] * 65520], [0], dtype="float16", expect="inf").verdict == "fails"
    logits = np.array([[0.1, 0.7]], np.float32)
    item = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor([0])).item()
    assert xentcli.compute(logits, [0], expect=item).verdict == "holds"
    assert xentcli.compute(logits, [0], expect=item, rtol=0.0, atol=0.0).verdict == "fails"


WARNING, NOTE, ERROR = (Finding(severity, severity, "so it is") for severity in ("warning", "info", "error"))  # type: ignore[arg-type]
ORDER = {"holds": 0, "undecided": 1, "fails": 2}


@pytest.mark.parametrize("loss", ["holds", "undecided", "fails"])
@pytest.mark.parametrize("holds", [True, None, False])
def test_the_verdict_is_the_gravest_of_loss_and_claim(loss: Judgement, holds: bool | None) -> None:
    """A claim that does not hold ends in green, or a true one hides that the loss is wrong."""
    report = answered(replace(agreeing(), verdict=loss, expectation=Expectation("1.5", holds, "1.5351492")))
    of_claim: Judgement = {True: "holds", None: "undecided", False: "fails"}[holds]
    assert report.verdict == max(loss, of_claim, key=ORDER.__getitem__)
    assert report.exit_code() == EXITS[report.verdict]
    assert report.summary.startswith("the claim 1.5 ")
    assert (agreeing().summary in report.summary) == (holds is not False or loss != "holds")


@pytest.mark.parametrize(
    ("findings", "ending"),
    [
        ((), []),
        ((NOTE, ERROR), []),
        ((NOTE, WARNING), ["1 warning: warning"]),
        ((WARNING, WARNING, replace(WARNING, code="a")), ["2 warnings: warning, a"]),
    ],
)
def test_the_line_ends_with_what_was_noticed(findings: tuple[Finding, ...], ending: list[str]) -> None:
    """Under -q a warning is nowhere."""
    assert list(noticed(findings)) == ending
    assert answered(replace(agreeing(), findings=findings)).summary == "; ".join([agreeing().summary, *ending])


def test_strict_changes_the_word_and_says_why() -> None:
    """The exit code is 1, and every format says that all is well."""
    report = answered(replace(agreeing(), findings=(WARNING,)))
    told = strictly(report)
    assert (told.verdict, told.exit_code()) == ("fails", 1) == ("fails", report.exit_code(strict=True))
    assert told.summary == f"a warning counts with --strict; {report.summary}"
    assert strictly(agreeing()) == agreeing()
    open_one = replace(report, verdict="undecided")
    assert strictly(open_one) == open_one


FACES: dict[str, dict[str, Any]] = {
    "holds": {},
    "a claim that is right": {"expect": "1.0834561548"},
    "a claim that is wrong": {"expect": "4.3338246"},
    "a claim that nothing explains": {"expect": "7.654321"},
    "an underflow": {"logits": [[0.0, 120.0]], "labels": [0], "dtype": "float32"},
    "an overflow of both paths": {
        "logits": [[0.0, 5.0], [0.0, 0.0]], "labels": [0, 1], "weight": [6e4, 1.0], "dtype": "float16",
    },
    "an overflow of the library": {"logits": [[0.0] * 65520], "labels": [0], "dtype": "float16"},
    "a NaN": {"logits": [[0.0, float("nan")]], "labels": [0]},
    "nothing counted": {"labels": [-100] * 4},
    "nothing counted, and a claim": {"labels": [-100] * 4, "expect": "1.0"},
    "without a reference": {"reference": "off"},
    **{
        f"a claim of {claim[:9]}": {"expect": claim}
        for claim in ("3", "0", "-1", "nan", "inf", "1e308", "1e999", "9" * 400, "1e-999", "5e-324", "tensor(3.)")
    },
}  # fmt: skip
WORDS: dict[str, Callable[[str], object]] = {
    "table": lambda text: text.rpartition("\n\n")[2].split(":")[0],
    "json": lambda text: json.loads(text)["verdict"],
    "csv": lambda text: next(csv.DictReader(io.StringIO(text)))["verdict"],
    "markdown": lambda text: text.splitlines()[0].removeprefix("### xent: "),
    "junit": lambda text: ElementTree.fromstring(text).attrib["name"].split(":")[0],
    "github": lambda text: text.splitlines()[-1].split("::")[2].split(":")[0],
    "html": lambda text: text.partition('<h1><span class="verdict ')[2].partition(">")[2].partition("<")[0],
}


def face(name: str) -> Report:
    usual = {"logits": [[0.5, 2.0, -1.0], [1.5, 0.25, 0.0], [-0.5, 0.0, 1.0], [2.0, -2.0, 0.5]], "labels": [1, 2, 0, 0]}
    return xentcli.compute(**usual | FACES[name])


@pytest.mark.parametrize("name", FACES)
def test_every_format_says_what_the_exit_code_says(name: str) -> None:
    """A dashboard reads one word, a shell the code; they must not be of two opinions."""
    report = face(name)
    word = {0: "holds", 1: "fails", 5: "undecided"}[report.exit_code()]
    assert WORDS.keys() == set(TEXTS)
    assert {form: read(text(report, form)) for form, read in WORDS.items()} == dict.fromkeys(WORDS, word)


@pytest.mark.parametrize("name", FACES)
def test_lines_are_short_and_told_in_digits_that_can_be_read(name: str) -> None:
    """A claim of 400 nines fills the log, and one of 1e-999 ends in a traceback."""
    report = face(name)
    assert len(verdict(report)) < 320
    for form in ("table", "markdown", "github"):
        assert max(map(len, text(report, form).splitlines())) < 600


def test_what_the_textbook_cannot_do_is_a_warning() -> None:
    """A build fails over right logits and a right library; or it is green, and nobody hears of it."""
    report = face("an underflow")
    assert (report.verdict, report.exit_code(strict=True)) == ("holds", 1)
    assert [(finding.code, finding.severity) for finding in report.findings] == [("softmax-underflow", "warning")]
    assert report.summary.endswith("; 1 warning: softmax-underflow")
    assert (ElementTree.fromstring(text(report, "junit"))[0].get("failures"), "error" in text(report, "github")) == (
        "0",
        False,
    )


@pytest.mark.parametrize("status", STATUSES)
def test_only_what_explains_the_manual_path_is_excused(status: Status) -> None:
    """torch's own infinity is passed over, or a NaN of the manual path that nothing explains."""
    assert is_at_fault("library", status) == (status != "within")
    assert is_at_fault("manual", status) == (status in {"nan", "wrong"})


def test_an_overflow_is_an_error_of_torch_and_a_warning_of_the_textbook() -> None:
    """The same word stands for both paths."""
    report = face("an overflow of both paths")
    severities = {finding.code: finding.severity for finding in report.findings}
    assert severities == {
        f"{path}{way}-overflow": {"library": "error", "manual": "warning"}[path]
        for path in ("library", "manual")
        for way in ("", "-reduction")
    }
    assert report.verdict == "fails"


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_manual_path_that_nothing_explains_fails(reduction: str) -> None:
    """What is excused is what is explained, and nothing else."""
    call: dict[str, Any] = {"logits": [[0.0, 100.0]], "labels": [0], "dtype": "float32", "reduction": reduction}
    report = xentcli.compute(**call, atol=1e-3)
    assert (report.losses.library.status, report.losses.manual.status) == ("within", "wrong")
    assert report.verdict == "fails"
