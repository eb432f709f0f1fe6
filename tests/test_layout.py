"""The house rules that a reader relies on: imports run one way, and the top level holds what it says."""

from __future__ import annotations

import ast
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "xentcli"
LOOSE = 8  # modules that the root of the package holds at most

# a room imports from rooms with a smaller number only; the order is that in which a block of samples goes through them
ROWS = {
    "errors": 0, "numbers": 1, "docs": 1, "question": 2, "statistics": 2, "records": 3, "sources": 4, "render": 4,
    "losses": 5, "bounds": 6, "measuring": 7, "judging": 8, "diagnose": 9, "running": 10,
    "explain": 11, "comparing": 11, "conform": 11, "api": 12, "testing": 13, "cli": 13, "__main__": 14, "__init__": 14,
}  # fmt: skip

# the same within the one room that has rooms, and modules beside them
CONFORM_ROWS = {
    "__init__": 0, "cases": 1, "doubles": 2, "asking": 2, "judging": 3, "naming": 4, "telling": 5, "building": 4,
    "xfail": 2, "battery": 6, "run": 7, "selfcheck": 7, "kinds": 8,
}  # fmt: skip

FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
FOLDERS = sorted({path.parent for path in FILES})


def imported(path: Path) -> set[str]:
    """The names in the package that a file imports, at run time or for its types: `xentcli.numbers.arrays.Array`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {f"{module}.{alias.name}" for alias in names}
    return {name for name in found if name.startswith("xentcli.")}


def rooms(path: Path, above: str) -> set[str]:
    """Which rooms of the package `above` a file imports from."""
    inside = [name.removeprefix(f"{above}.") for name in imported(path) if name.startswith(f"{above}.")]
    return {name.split(".")[0] for name in inside} - {"__version__"}


def room(path: Path, above: Path = PACKAGE) -> str:
    return path.relative_to(above).parts[0].removesuffix(".py")


def not_below(path: Path, folder: Path, rows: dict[str, int]) -> set[str]:
    """The rooms that a file imports from and that are not below its own."""
    own = room(path, folder)
    above = ".".join(folder.relative_to(ROOT).parts)
    return {name for name in rooms(path, above) if name != own and rows[name] >= rows[own]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    """A room that imports from the same row, or upwards, makes a circle that the next change trips over."""
    assert not not_below(path, PACKAGE, ROWS)
    conform = PACKAGE / "conform"
    assert not path.is_relative_to(conform) or not not_below(path, conform, CONFORM_ROWS)


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Inside a room, too, a reader can start with a module that stands on nothing that he has not read."""
    graph = {}
    for name, path in MODULES.items():
        names = imported(path)
        graph[name] = {found for found in names | {each.rpartition(".")[0] for each in names} if found in MODULES}
    graph.pop("xentcli")  # its names are imported when they are first used
    assert list(TopologicalSorter({name: found - {"xentcli"} for name, found in graph.items()}).static_order())


def test_an_upward_import_would_be_noticed(tmp_path: Path) -> None:
    """The rules above read every spelling of an import."""
    file = tmp_path / "x.py"
    file.write_text(
        "import xentcli.cli.main\ndef f():\n    from xentcli import running\n    from xentcli.api import compute\n"
    )
    assert rooms(file, "xentcli") == {"cli", "running", "api"}


def test_the_root_holds_few_modules() -> None:
    """The listing tells the story only while it is short."""
    assert len([path for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")]) <= LOOSE


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_says_what_lives_there(folder: Path) -> None:
    """Who opens a folder learns in one line whether what he looks for is in it."""
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


def test_only_the_command_line_knows_click_and_only_tables_know_rich() -> None:
    """Somebody who imports the Python face must not depend on the terminal."""
    for path in FILES:
        text = path.read_text()
        assert ("import click" in text or "from click" in text) <= (room(path) == "cli"), path
        assert ("from rich" in text) <= (room(path) == "render"), path


def test_top_level_is_what_it_says() -> None:
    """A reader finds five things at the top, besides the licence and dotfiles."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    top = {name.split("/")[0] for name in names if not name.startswith(".")}
    assert top == {"pyproject.toml", "xentcli", "tests", "samples", "README.md", "LICENSE"}
