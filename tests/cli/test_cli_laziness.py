"""torch takes seconds to import: what needs no numbers answers without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from process import AGREES, SMALL, xent

from xentcli.cli.main import xent as group

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"torch", "numpy", "rich", "flint", "distributed"}
CAUSES = "xentcli.diagnose.causes.find"

QUICK = {
    "help": ["--help"],
    "version": ["--version"],
    "nothing": [],
    **{f"help of {name}": [name, "--help"] for name in group.commands},
    **{f"completion {shell}": ["completion", shell] for shell in ("bash", "zsh", "fish")},
    "pages": ["docs"],
    "page": ["docs", "json"],
    "unknown page": ["docs", "jsn"],
    "samples": ["docs", "--samples", "samples"],
    "unknown command": ["nothing"],
    "words": ["explain", "wrods"],
    "missing settings": ["--config", "nothing.toml", "compute", *AGREES],
    "unknown option": ["compute", "--nothing"],
    "no labels": ["compute", AGREES[0]],
    "a wrong decimal sign": ["compute", *AGREES, "--decimal", ";"],
    "a class twice": ["compute", *AGREES, "--classes", "cat,cat"],
    "no file of classes": ["compute", *AGREES, "--classes", "nothing"],
    "missing file": ["compute", "nothing.npy", AGREES[1]],
    "missing labels": ["compute", AGREES[0], "nothing.npy"],
    "missing weights": ["compute", *AGREES, "--weight", "nothing.npy"],
    "missing weights of random": [*SMALL, "--weight", "nothing.npy"],
    "missing file of explain": ["explain", "nothing.npy", AGREES[1]],
    "directory": ["compute", ".", AGREES[1]],
    "claim that is no number": ["compute", *AGREES, "--expect", "abc"],
    "smoothing out of range": ["compute", *AGREES, "--label-smoothing", "1.1"],
    "smoothing that is no number": ["compute", *AGREES, "--label-smoothing", "nan"],
    "tolerance that is endless": ["compute", *AGREES, "--rtol", "inf"],
    "unknown format of a number": ["compute", *AGREES, "--dtype", "float8"],
    "unknown format of a report": ["compute", *AGREES, "--report", "yaml=x"],
    "digits without a reference": ["compute", *AGREES, "--reference", "off", "--digits", "9"],
    "processes and a cluster": ["compute", *AGREES, "--jobs", "2", "--cluster", "tcp://127.0.0.1:1"],
    "missing scheduler file": ["compute", *AGREES, "--cluster", "nothing.json"],
    "output in no folder": ["compute", *AGREES, "-o", "nothing/x"],
    "nothing to merge": ["merge"],
    "missing partial": ["merge", "nothing.json"],
    "share that is none": ["compute", *AGREES, "--shard", "4/3"],
    "partial without a reduction": ["compute", *AGREES, "--reduction", "none", "--partial", "x"],
    "claim about a share": ["compute", *AGREES, "--shard", "1/3", "--expect", "1"],
    "two outputs in one file": ["compute", *AGREES, "-o", "x", "--report", "json=x"],
}


def modules(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> set[str]:
    """The modules that a fresh process imports."""
    ended = xent(*arguments, cwd=cwd, env={"PYTHONPROFILEIMPORTTIME": "1"} | (env or {}))
    lines = [line for line in ended.err.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def imported(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> set[str]:
    """The packages that a fresh process imports."""
    return {module.partition(".")[0] for module in modules(*arguments, cwd=cwd, env=env)}


@pytest.mark.parametrize("arguments", QUICK.values(), ids=QUICK)
def test_what_needs_no_numbers_imports_no_torch(arguments: list[str], tmp_path: Path) -> None:
    """Help, completion and mistakes of typing are answered at once."""
    packages = imported(*arguments, cwd=tmp_path)
    assert "click" in packages
    assert not packages & HEAVY


COMPLETED = [
    "xent ",
    "xent comp",
    "xent compute --d",
    "xent compute --dtype ",
    "xent explain s",
    "xent conform x:y --only ",
]


@pytest.mark.parametrize("words", COMPLETED)
def test_completion_imports_no_torch(words: str, tmp_path: Path) -> None:
    """A shell that waits for seconds at each press of the key is worse than one that completes nothing."""
    shell = {"_XENT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    packages = imported(cwd=tmp_path, env=shell)
    assert "click" in packages
    assert not packages & HEAVY


def test_settings_are_checked_without_torch(tmp_path: Path) -> None:
    """A slip in pyproject.toml is told at once."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nrowz = 3\n")
    packages = imported("compute", *AGREES, cwd=tmp_path)
    assert "tomllib" in packages
    assert not packages & HEAVY


def test_an_import_would_be_noticed(tmp_path: Path) -> None:
    """The tests above see every import: this run needs numbers and a table, and no causes, for it claims nothing."""
    found = modules(*SMALL, cwd=tmp_path)
    assert found >= {"click", "torch", "numpy", "rich"}
    assert CAUSES not in found


def test_a_false_claim_imports_its_causes(tmp_path: Path) -> None:
    """The test above looks for the module that is imported where causes are wanted."""
    assert CAUSES in modules(*SMALL, "--expect", "0", cwd=tmp_path)
