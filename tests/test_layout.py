"""The house rules that a reader relies on: imports run one way, and the top level holds what it says."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "xentcli"

ROWS = {
    "errors": 0, "precision": 0, "exactsum": 0, "memory": 0, "share": 0, "codec": 1,
    "arrays": 1, "tensors": 2, "block": 2, "problem": 3,
    "docs": 1, "policy": 1, "records": 1, "explanation": 1, "facts": 1, "claims": 1, "traits": 1,
    "conformance": 1, "progress": 1, "samples": 1,
    "sources": 3, "render": 3,
    "losses": 4, "bounds": 4,
    "case": 5, "reduce": 5, "paths": 5, "measure": 5, "judge": 5, "diagnose": 5,
    "pipeline": 5, "passes": 6, "opening": 6, "processes": 6, "cluster": 6,
    "report": 6, "engine": 7, "partial": 8, "merging": 8,
    "api": 8, "explain": 8, "conform": 8, "testing": 9,
    "cli": 9, "__main__": 10, "__init__": 10,
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports at run time or for its types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found |= {name.split(".")[1] for name in names if name.startswith("xentcli.")}
    return found


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    """A module that imports upwards makes a circle that the next change trips over."""
    upward = {name for name in imports(path) if name != room(path) and ROWS[name] > ROWS[room(path)]}
    assert not upward


def test_an_upward_import_would_be_noticed(tmp_path: Path) -> None:
    """The rule above reads both spellings of an import."""
    file = tmp_path / "x.py"
    file.write_text("import xentcli.cli.main\ndef f():\n    from xentcli.engine import run\n")
    assert imports(file) == {"cli", "engine"}


def test_only_the_command_line_knows_click_and_only_tables_know_rich() -> None:
    """Somebody who imports the Python face must not depend on the terminal."""
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert ("import click" in text or "from click" in text) <= (room(path) == "cli"), path
        assert ("from rich" in text) <= (room(path) == "render"), path


def test_top_level_is_what_it_says() -> None:
    """A reader finds five things at the top, besides the licence and dotfiles."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    top = {name.split("/")[0] for name in names if not name.startswith(".")}
    assert top == {"pyproject.toml", "xentcli", "tests", "samples", "README.md", "LICENSE"}
