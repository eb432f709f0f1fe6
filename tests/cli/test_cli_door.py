"""A broken installation is exit 3, never 1: that code means that a loss does not hold, and CI files branch on it."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest
from process import AGREES, SAMPLES, Ended, end, start, xent

from xentcli.errors import BUG

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = (sys.executable, "-c", "import sys; from xentcli.__main__ import main; sys.exit(main())")  # as pip writes it
DOORS = {"python -m xentcli": (sys.executable, "-m", "xentcli"), "xent": SCRIPT}
BROKEN = {
    "a wrong name": "from math import nothing",
    "a wrong type": "int[str]",
    "wrong grammar": "def",
    "a missing shared library": "raise OSError('libgomp.so.1: cannot open shared object file')",
    "a missing part": "import click.nothing_of_the_kind",
    "an exit": "raise SystemExit(1)",
}


def broken(module: str, code: str, folder: Path, *arguments: str, door: str = "xent") -> Ended:
    """How a run ends where this module is a double that does this when it is imported."""
    (folder / "doubles").mkdir()
    (folder / "doubles" / f"{module}.py").write_text(f"{code}\n")
    path = f"{folder / 'doubles'}:{SAMPLES.parent}"
    return xent(*arguments, cwd=folder, env={"PYTHONPATH": path}, program=DOORS[door])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("code", BROKEN.values(), ids=BROKEN)
def test_a_broken_click_is_no_verdict(code: str, door: str, tmp_path: Path) -> None:
    """A job that reads 1 as "the loss does not hold" would blame the model for pip's work."""
    ended = broken("click", code, tmp_path, "--version", door=door)
    assert (ended.code, ended.out) == (3, "")
    assert "Error" in ended.err or "SystemExit" in ended.err
    assert ended.err.splitlines()[-1] == f"error: {BUG}"


@pytest.mark.parametrize("module", ["torch", "numpy"])
@pytest.mark.parametrize("code", [code for name, code in BROKEN.items() if name != "an exit"])
def test_a_package_that_breaks_later_is_no_verdict(module: str, code: str, tmp_path: Path) -> None:
    """torch and numpy are imported in the middle of a run, when the command line already stands."""
    ended = broken(module, code, tmp_path, "compute", *AGREES)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.splitlines()[-1] == f"error: {BUG}"


@pytest.mark.parametrize("module", ["click", "torch", "numpy"])
def test_a_package_that_is_not_there_is_named(module: str, tmp_path: Path) -> None:
    """Whoever installed without dependencies needs one name, and no traceback."""
    ended = broken(module, f"raise ModuleNotFoundError(name={module!r})", tmp_path, "compute", *AGREES)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (f"error: xent needs {module}, which is not installed here\n  hint      pip install {module}\n")


@pytest.mark.parametrize("module", ["click", "torch"])
def test_an_interrupted_import_is_an_interruption(module: str, tmp_path: Path) -> None:
    """Ctrl-C in the second that an import takes is no bug to report."""
    ended = broken(module, "raise KeyboardInterrupt", tmp_path, "compute", *AGREES)
    assert (ended.code, ended.out) == (130, "")
    assert "Traceback" not in ended.err


def test_ctrl_c_at_the_door(tmp_path: Path) -> None:
    """The same with a real signal, sent while the first package is imported."""
    (tmp_path / "click.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(50)\n")
    process = start("--version", cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}:{SAMPLES.parent}"})
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGINT)
    ended = end(process)
    assert (ended.code, ended.err) == (130, "")


def test_a_closed_standard_error_changes_no_code(tmp_path: Path) -> None:
    """`xent 2>&-` still must not say that a loss is wrong."""
    (tmp_path / "click.py").write_text("from math import nothing\n")
    program = ("bash", "-c", 'exec "$@" 2>&-', "bash", *DOORS["xent"])
    ended = xent("--version", cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}:{SAMPLES.parent}"}, program=program)
    assert (ended.code, ended.out, ended.err) == (3, "", "")
