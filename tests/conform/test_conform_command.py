"""`xent conform` as a user and a script meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from xentcli.cli.codes import meaning
from xentcli.conform.asking.channel import Limits
from xentcli.conform.asking.implementation import any_program
from xentcli.conform.cases.choosing import of_kind, spelled_out
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.selfcheck import as_report
from xentcli.conform.telling.summary import summarise
from xentcli.conform.xfail import read_expected
from xentcli.errors import InputError, UsageError
from xentcli.records.conformance import CaseResult, ConformanceReport, DoubleResult, Fault, Offence, SelfCheck
from xentcli.records.report import Tool
from xentcli.render.conformance.registry import render
from xentcli.render.page import Page

TORCH = "torch.nn.functional:cross_entropy"
PLAIN = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}


def xent(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xentcli", "conform", *arguments]
    return subprocess.run(command, cwd=folder, env=PLAIN, capture_output=True, text=True, timeout=120, check=False)


def test_an_implementation_that_conforms_exits_with_zero() -> None:
    """CI files rely on it."""
    result = xent(TORCH, "--only", "ties", "--only", "offsets")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1] == f"conforms: {TORCH} conforms in all 3 families"


def test_failures_exit_with_one_unless_asked_not_to() -> None:
    """The same for failures; and each shows the lines to paste."""
    result = xent(TORCH, "--only", "half-overflow")
    assert result.returncode == 1
    assert "from torch.nn.functional import cross_entropy" in result.stdout
    assert "https://github.com/pytorch/pytorch/issues/29429" in result.stdout
    assert xent(TORCH, "--only", "half-overflow", "--exit-zero").returncode == 0


@pytest.mark.parametrize(("arguments", "words"), [
    ((), "there is nothing to judge"), (("nosuch:f",), "nosuch cannot be imported"),
    (("nosuch:f", "--loss", "focal"), "nosuch cannot be imported"),
    (("--self-check", "torch.nn:CrossEntropyLoss"), "judge no implementation"),
])  # fmt: skip
def test_usage_errors_exit_with_two(arguments: tuple[str, ...], words: str) -> None:
    """A typing error must not look like a verdict; what another process says of it stands in lines of its own."""
    result = xent(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "\\n" not in result.stderr


def test_what_makes_no_sense_is_said() -> None:
    """The words of the rarer ones, without a process each."""
    with pytest.raises(UsageError, match="there is no family or case 'nosuch'"):
        corpus().chosen(["nosuch"], [], large=False)
    with pytest.raises(UsageError, match="the command cannot be read"):
        any_program("'", Limits())
    with pytest.raises(UsageError, match="the command is empty"):
        any_program(" ", Limits())
    with pytest.raises(UsageError, match="cannot be read"):
        read_expected("nowhere", corpus().names)


def test_cases_are_chosen_by_pattern_dtype_and_reduction() -> None:
    """Whoever mends the mean in bfloat16 asks for no more than that."""
    names = [name for name in corpus().names if "/" in name]
    assert set(spelled_out(["*-mean"], names)) == {name for name in names if name.endswith("-mean")}
    assert spelled_out(["ties", "offsets/*mean"], corpus().names) == ("ties", "offsets/float32-mean")
    with pytest.raises(UsageError, match="no family or case is called so"):
        spelled_out(["nosuch*"], names)
    kept = of_kind(corpus().cases, ["bfloat16"], ["mean"])
    assert {case.reduction for case in kept if case.family != "smoke"} == {"mean"}
    assert all(case.load().dtype == "bfloat16" for case in kept if case.family != "smoke")
    with pytest.raises(UsageError, match="no case is left"):
        of_kind([case for case in corpus().cases if case.family == "ties"], [], ["sum"])


def test_the_first_lines_answer() -> None:
    """Who sees eight lines of a log sees each fault once, in every width, and no line is wider than the page."""
    worst = CaseResult("gaps/float64", "gaps", "fails", "the loss is not the certified one", names=("clip-1e-06",),
                       worst=Offence("loss", (0,), 13.8, 110.0, 1e-14), reproduction=("import torch",))  # fmt: skip
    other = CaseResult("masked/float64", "masked", "fails", "the loss is not the certified one", names=("clip-1e-06",))
    fault = Fault("clip-1e-06", "probabilities are clipped at 1e-06", "p below it has no loss", "fails",
                  ("gaps/float64", "masked/float64"), ("gaps", "masked"), (), worst)  # fmt: skip
    judged = summarise("kernel:f", (worst, other), {}, faults=(fault,))
    report = ConformanceReport(Tool("xent", "0", "0"), "1.0", 2, (judged,), "fails", "kernel:f fails gaps, masked")
    for width in (80, 40):
        text = "".join(render(report, "table", Page(width=width, color=False)))
        first = " ".join(text.splitlines()[:3])
        verdict = "fails: kernel:f fails gaps, masked"
        assert first.startswith(f"{verdict} fails: probabilities are clipped at 1e-06, in 2 cases of 2 families")
        assert "\x1b" not in text
        assert max(map(len, text.splitlines()[:8])) <= max(width, 60)
        assert " ".join(text.split()).count("probabilities are clipped at 1e-06, in 2 cases") == 2
    assert text.splitlines()[-1]
    junit = "".join(render(report, "junit", Page(width=80, color=False)))
    assert junit.count('type="clip-1e-06"') == 2
    assert junit.count("import torch") == 2


def test_a_family_and_a_fault_are_explained() -> None:
    """The names of a report can be looked up where they stand."""
    text = meaning("offsets", None, Page(width=80, color=False))
    assert "offsets, a family of cases" in text
    assert "float32-1e+08" in text
    assert "https://github.com/pytorch/pytorch/issues/11752" in text
    assert "probabilities are clipped at 1e-06" in meaning("clip-below-1e-06", None, Page(width=80, color=False))


@pytest.mark.slow
def test_expected_failures_have_reasons_and_go_stale(tmp_path: Path) -> None:
    """A list of known failures that nobody prunes hides the next one."""
    path = tmp_path / "known.txt"
    path.write_text("half-overflow  torch stores in float16  # known\nties/float64 never failed\n")
    arguments = (TORCH, "--only", "half-overflow", "--only", "ties", "--xfail", str(path))
    result = xent(*arguments)
    assert result.returncode == 0
    assert "conforms (3 expected)" in result.stdout
    assert "stale  ties/float64 was expected to fail and does not" in result.stdout
    assert xent(*arguments, "--strict").returncode == 1
    path.write_text("half-overflow\n")
    with pytest.raises(InputError, match="an expected failure needs a reason"):
        read_expected(str(path), corpus().names)


def test_an_expected_failure_of_no_case_is_refused(tmp_path: Path) -> None:
    """A misspelt name expects nothing, and nobody would be told."""
    path = tmp_path / "known.txt"
    path.write_text("half-*  torch\ngenerated/5-3  drawn\nhalf-overflw/x  misspelt\n")
    with pytest.raises(InputError, match="no case or family is called so") as error:
        read_expected(str(path), corpus().names)
    assert error.value.details["found"] == "half-overflw/x"


def test_names_that_do_not_fit_side_by_side_are_numbered() -> None:
    """Lines that a terminal wraps are no table."""
    cases = tuple(CaseResult(f"ties/{number}", "ties", "passes") for number in range(2))
    judged = [summarise(f"package.of.module{number}:cross_entropy", cases, {}) for number in range(3)]
    report = ConformanceReport(Tool("xent", "0", "0"), "1.0", 2, tuple(judged), "conforms", "3 conform")
    narrow = "".join(render(report, "table", Page(width=80, color=False)))
    assert "\n2  package.of.module1:cross_entropy\n" in narrow
    assert narrow.splitlines()[6].split() == ["family", "1", "2", "3"]
    assert max(map(len, narrow.splitlines())) <= 80
    wide = "".join(render(report, "table", Page(width=120, color=False)))
    assert wide.splitlines()[3].split()[1:] == [each.name for each in judged]


def test_the_self_check_speaks_every_format() -> None:
    """A battery that lets a double pass must fail the build of whoever reads JUnit."""
    caught = DoubleResult("good", "a fault", "ties", "https://github.com/a/b/issues/1", ("ties/float32",))
    survivor = DoubleResult("sly", "another fault", "gaps", "https://github.com/a/b/issues/2", ())
    flagged = DoubleResult("sorted", "adds in order", None, None, ("gaps/float64",))
    check = SelfCheck(Tool("xent", "0", "0"), "1.0", (caught, survivor), (flagged,), ())
    report = as_report(check)
    assert (report.verdict, report.summary) == ("fails", check.summary)
    suite = ElementTree.fromstring("".join(render(report, "junit", Page(width=80, color=False))))[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "2")
    lines = "".join(render(report, "csv", Page(width=80, color=False))).splitlines()
    assert [line.split(",")[2:4] for line in lines[1:]] == [
        ["ties/good", "passes"], ["gaps/sly", "fails"], ["correct-doubles/sorted", "fails"],
    ]  # fmt: skip
    for form in ("markdown", "github"):
        text = "".join(render(report, form, Page(width=80, color=False)))
        assert "another fault" in text
        assert "gaps/float64" in text.replace("\\", "")


@pytest.mark.slow
def test_all_formats_say_the_same(tmp_path: Path) -> None:
    """One run, every reader."""
    names = ("json", "csv", "markdown", "junit", "github")
    reports = [argument for name in names for argument in ("--report", f"{name}={tmp_path / name}")]
    result = xent(TORCH, "torch.nn:CrossEntropyLoss", "--only", "half-overflow", "--only", "labels", *reports)
    assert result.returncode == 1
    report = json.loads((tmp_path / "json").read_text())
    assert report["schema_version"] == "2.0"
    assert report["verdict"] == "fails"
    outcomes = [case["outcome"] for each in report["implementations"] for case in each["cases"]]
    assert outcomes.count("fails") == 6
    suites = ElementTree.parse(tmp_path / "junit").getroot()
    assert sum(int(suite.attrib["failures"]) for suite in suites) == 6
    assert len(suites.findall("./testsuite/testcase")) == len(outcomes)
    assert sum(int(suite.attrib["skipped"]) for suite in suites) == outcomes.count("unsupported")
    assert (tmp_path / "csv").read_text().count("\n") == len(outcomes) + 1
    assert (
        "| half\\-overflow |" in (tmp_path / "markdown").read_text()
        or "half-overflow" in (tmp_path / "markdown").read_text()
    )
    faults = [fault for each in report["implementations"] for fault in each["faults"]]
    assert (tmp_path / "github").read_text().count("::error ") == len(faults) + 1
    assert (tmp_path / "markdown").read_text().count("```python") == len(faults)
    failures = [each for each in suites.iter("failure") if each.attrib["type"] == "sum-in-16-bits"]
    assert len(failures) == sum(len(each["cases"]) for each in faults if each["name"] == "sum-in-16-bits") > 0
    assert ["family", TORCH, "torch.nn:CrossEntropyLoss"] in [line.split() for line in result.stdout.splitlines()]


def test_the_list_names_every_case() -> None:
    """What can be selected can be read."""
    result = xent("--list", "--only", "ties")
    assert result.returncode == 0
    assert [line.split()[0] for line in result.stdout.splitlines() if line.startswith("  ties")] == [
        case.name for case in corpus().cases if case.family == "ties"
    ]


def test_the_exported_corpus_is_the_corpus(tmp_path: Path) -> None:
    """A project without xent reads the same arrays and digits."""
    folder = tmp_path / "corpus"
    result = xent("--export", str(folder))
    assert result.returncode == 0, result.stderr
    assert {"corpus.json", "schema.json", "README.md", "arrays"} == {path.name for path in folder.iterdir()}
    exported = {case.name: case for case in corpus(folder).cases}
    assert exported.keys() == {case.name for case in corpus().cases}
    for case in corpus().cases:
        if case.large:
            continue
        for name, array in case.load().named().items():
            other = exported[case.name].load().named()[name]
            assert other.dtype == array.dtype
            assert torch.equal(other.nan_to_num() if other.is_floating_point() else other,
                               array.nan_to_num() if array.is_floating_point() else array)  # fmt: skip
    assert xent("--export", str(folder)).returncode == 2


@pytest.mark.slow
def test_random_cases_come_on_top() -> None:
    """--seed and --examples look beyond the corpus."""
    result = xent(TORCH, "--only", "smoke", "--examples", "20", "--seed", "5", "--json")
    report = json.loads(result.stdout)
    assert result.returncode == 0
    assert report["seed"] == 5
    assert sum(case["family"] == "generated" for case in report["implementations"][0]["cases"]) == 20


def test_a_program_is_judged_beside_a_callable() -> None:
    """Side by side is how a port is compared with its original."""
    responder = Path(__file__).parents[2] / "samples" / "responders" / "responder.py"
    result = xent(TORCH, "--exec", f"{sys.executable} {responder}", "--only", "shapes")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("conforms") >= 5
