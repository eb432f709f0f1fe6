"""The exit code is the verdict: what a CI file branches on."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest
import torch
from process import AGREES, DIFFERS, PROGRAM, SAMPLES, SMALL, is_one_error, xent, xent_here

from xentcli import __version__

if TYPE_CHECKING:
    from pathlib import Path

ONE_FILE = str(SAMPLES / "one_file" / "samples.csv")

CODES = {
    "holds": (["compute", *AGREES], 0),
    "labels in a column": (["compute", ONE_FILE, "--label-column", "label"], 0),
    "claim holds": (["compute", *AGREES, "--expect", "2.998"], 0),
    "claim fails": (["compute", *AGREES, "--expect", "2.999"], 1),
    "claim within tolerance": (["compute", *AGREES, "--expect", "2.999", "--rtol", "0.01"], 0),
    "underflow": (["compute", *DIFFERS], 0),
    "underflow, strict": (["compute", *DIFFERS, "--strict"], 1),
    "underflow, mended": (["compute", *DIFFERS, "--dtype", "float64", "--strict"], 0),
    "underflow, but exit zero": (["compute", *DIFFERS, "--strict", "--exit-zero"], 0),
    "reference off": (["compute", *AGREES, "--reference", "off"], 0),
    "no sample": (["random", "--samples", "0", "--classes", "3"], 5),
    "no sample, but exit zero": (["random", "--samples", "0", "--classes", "3", "--exit-zero"], 5),
    "every sample ignored": (["random", "--samples", "3", "--classes", "1", "--ignore-index", "0"], 5),
    "bad input, but exit zero": (["compute", "nothing.csv", "nothing.csv", "--exit-zero"], 2),
    "bad option": (["compute", "--nothing"], 2),
    "bad command": (["nothing"], 2),
    "no command": ([], 2),
    "help": (["--help"], 0),
    "short help of a command": (["random", "-h"], 0),
}


@pytest.mark.parametrize(("arguments", "code"), CODES.values(), ids=CODES)
def test_exit_codes(arguments: list[str], code: int, tmp_path: Path) -> None:
    """A CI job that goes on after a wrong loss, or stops at a right one, has no use for the rest."""
    ended = xent_here(*arguments, cwd=tmp_path)
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    assert not list(tmp_path.iterdir())


def test_exit_code_of_a_process(tmp_path: Path) -> None:
    """The codes above are those of a real process, which prints to standard output and nothing beside it."""
    ended = xent("compute", *DIFFERS, "-q", "--strict", cwd=tmp_path)
    assert (ended.code, ended.err, ended.out.count("\n")) == (1, "", 1)


FAULTS = {
    "the loss is NaN": ("0,nan\n", "0\n", []),
    "the library overflows": ("0,60000\n", "0\n", ["--dtype", "float16", "--reduction", "sum", "--weight", "w.csv"]),
}


@pytest.mark.parametrize("command", ["compute", "explain"])
@pytest.mark.parametrize(("logits", "labels", "options"), FAULTS.values(), ids=FAULTS)
def test_what_the_library_cannot_hold_fails(
    command: str, logits: str, labels: str, options: list[str], tmp_path: Path
) -> None:  # fmt: skip
    """The manual path may overflow as it likes; an infinity of torch's own is what trains a network to NaN."""
    for name, content in {"x.csv": logits, "y.csv": labels, "w.csv": "2\n2\n"}.items():
        (tmp_path / name).write_text(content)
    chosen = options if command == "compute" else [each for each in options if each not in {"--reduction", "sum"}]
    ended = xent_here(command, "x.csv", "y.csv", *chosen, cwd=tmp_path)
    assert ended.code == 1, ended
    assert "\nfails: " in ended.out


def test_warnings_count_when_strict(tmp_path: Path) -> None:
    """--strict is for those who want a remark in their logits to stop the job; --exit-zero still has the last word."""
    (tmp_path / "x.csv").write_text("0,-inf\n0,1\n")
    (tmp_path / "y.csv").write_text("1\n0\n")  # the first label is on a masked class
    lenient, strict, zero = (
        xent_here("compute", "x.csv", "y.csv", "-q", *options, cwd=tmp_path).code
        for options in ([], ["--strict"], ["--strict", "--exit-zero"])
    )
    assert (lenient, strict, zero) == (0, 1, 0)


def test_a_bug_of_ours_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash that ended with Python's own code, 1, would be read as a wrong loss."""

    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("an invented bug")

    monkeypatch.setattr("xentcli.running.engine.run", fails)
    ended = xent_here(*SMALL, "--exit-zero", "-o", "out", cwd=tmp_path)
    assert ended.code == 3
    assert not ended.out
    assert "an invented bug" in ended.err
    assert ended.err.splitlines()[-1].startswith("error: this is a bug in xent")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [
    MemoryError("7 EiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 7 EiB"),
    RuntimeError("std::bad_alloc 7 EiB"),
    RuntimeError("can't start new thread 7 EiB"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object 7 EiB"),
    OSError(28, "No space left on device"),
])  # fmt: skip
def test_what_the_system_lacks_is_no_bug(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full memory or disk is told in one message, not in a traceback that asks for a report."""

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("xentcli.running.engine.run", fails)
    ended = xent_here(*SMALL, cwd=tmp_path)
    assert is_one_error(ended), ended
    assert ("7 EiB" in ended.err) or ("No space left" in ended.err)


LIMITED = ("bash", "-c", 'ulimit -v $0 && exec "$@"')


@pytest.mark.skipif(platform.system() != "Linux", reason="other systems do not heed the limit")
@pytest.mark.parametrize("kibibytes", [150_000, 300_000, 550_000, 650_000, 700_000])
def test_too_few_addresses_to_begin(kibibytes: int, tmp_path: Path) -> None:
    """torch's libraries abort then, or exit with 1: that a job's memory is short would be read as a wrong loss."""
    ended = xent("compute", *AGREES, cwd=tmp_path, program=(*LIMITED, str(kibibytes), *PROGRAM))
    assert is_one_error(ended), ended
    assert "memory" in ended.err
    assert xent("--help", cwd=tmp_path, program=(*LIMITED, str(kibibytes), *PROGRAM)).code == 0


@pytest.mark.skipif(platform.system() != "Linux", reason="other systems do not heed the limit")
def test_too_few_addresses_in_the_middle(tmp_path: Path) -> None:
    """What fits at the beginning may not do so later."""
    arguments = ("random", "--samples", "400000", "--classes", "1000", "--seed", "0", "-o", "out")
    ended = xent(*arguments, cwd=tmp_path, program=(*LIMITED, "1500000", *PROGRAM))
    assert is_one_error(ended), ended
    assert "memory" in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("counts", [("9" * 20, "2"), ("9" * 13, "9"), ("2", "9" * 13)])
def test_more_logits_than_memory(counts: tuple[str, str], tmp_path: Path) -> None:
    """A zero too many in a number of samples is a mistake, not a bug of ours."""
    ended = xent_here("random", "--samples", counts[0], "--classes", counts[1], cwd=tmp_path)
    assert is_one_error(ended), ended
    assert "memory" in ended.err


def test_version(tmp_path: Path) -> None:
    """The lines that a bug report starts with, by both names of the program; the first is ours."""
    lines = xent_here("-V", cwd=tmp_path).out.splitlines()
    assert lines[:3] == [f"xent {__version__}", f"torch {torch.__version__}", f"Python {platform.python_version()}"]
    assert lines[3:] == [platform.platform()]
    assert xent("--version", cwd=tmp_path).out.splitlines() == lines


def test_help_without_a_command(tmp_path: Path) -> None:
    """Whoever types the bare name sees what there is; a script that forgot the command does not go on."""
    ended = xent_here(cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == xent_here("--help", cwd=tmp_path).out
