"""Everything the README says is run: its commands print what stands there, its Python gives what it shows.

`XENT_UPDATE_README=1 pytest tests/test_readme.py` writes the output of the commands anew.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import click
import process
import pytest
import torch
from process import xent_here

from xentcli.cli.main import xent
from xentcli.cli.settings import read_settings
from xentcli.sources.formats import FORMATS
from xentcli.sources.packed import MARKS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLAIN = {"COLUMNS": "80", "NO_COLOR": "1"}

# the last digits of torch's own losses are those of its AVX-512 kernels; elsewhere the words must be the same
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def blocks(kind: str) -> list[str]:
    return [content for name, content in BLOCK.findall(README.read_text()) if name == kind]


def commands(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def arguments(command: str) -> list[str]:
    program, *given = shlex.split(command)
    assert program == "xent"
    return given


def transcript(block: str, folder: Path) -> str:
    """The block as a terminal would show it now, in a folder that has the samples and may be written to."""
    (folder / "samples").symlink_to(ROOT / "samples")
    shown = []
    for command in commands(block):
        ended = xent_here(*arguments(command), cwd=folder, env=PLAIN)
        shown.append(f"$ {command}\n{ended.out}{ended.err}")
    return "".join(shown)


def comparable(text: str) -> str:
    return text if torch.backends.cpu.get_cpu_capability() == "AVX512" else re.sub(r" +", " ", NUMBER.sub("#", text))


@pytest.mark.parametrize("index", range(len(blocks("console"))))
def test_commands_print_what_the_readme_shows(index: int, tmp_path: Path) -> None:
    """A reader who types a command must see what the page showed."""
    block = blocks("console")[index]
    now = transcript(block, tmp_path)
    if os.environ.get("XENT_UPDATE_README"):
        README.write_text(README.read_text().replace(f"```console\n{block}```", f"```console\n{now}```"))
        return
    assert comparable(block) == comparable(now)


def test_python_gives_what_the_readme_shows() -> None:
    """The Python face, copied from the page."""
    for block in blocks("python"):
        test = doctest.DocTestParser().get_doctest(block, {}, "README", str(README), 0)
        assert doctest.DocTestRunner().run(test).failed == 0


def test_the_ci_recipe_runs(tmp_path: Path) -> None:
    """The step of the workflow, on the digits."""
    for name in ("logits.npy", "labels.npy"):
        shutil.copy(ROOT / "samples" / "digits" / name, tmp_path)
    steps = [line.partition("run: ")[2] for block in blocks("yaml") for line in block.splitlines() if "run: " in line]
    assert steps
    for step in steps:
        ended = process.xent(*arguments(step), cwd=tmp_path)
        assert ended.code == 0, ended.out + ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"logits.npy", "labels.npy", "xent.xml", "xent.md"}


def test_the_settings_of_the_readme_are_settings(tmp_path: Path) -> None:
    """Each key must be one the program knows."""
    (block,) = blocks("toml")
    assert tomllib.loads(block)["tool"]["xent"]
    (tmp_path / "pyproject.toml").write_text(block)
    assert isinstance(xent, click.Group)
    assert read_settings(xent, tmp_path)["random"] == {"label_smoothing": 0.1, "rows": 5, "scale": 3.0}


def test_ci_installs_and_tests_as_the_readme_says() -> None:
    """The page must not promise another installation than the one that is tried at every change."""
    script = (ROOT / ".ci" / "run").read_text()
    install, test = (command.strip() for block in blocks("sh") for command in block.splitlines())
    assert install.split(" && ")[-1] in script
    assert test.split(" && ")[-1] in script
    assert test.split(" && ")[-2].removeprefix("pip install ") in script


def test_every_command_has_its_line() -> None:
    """A command that the README does not name is a command nobody finds."""
    text = README.read_text()
    assert all(f"`xent {name}" in text for name in xent.commands)
    exit_codes = {int(code) for code in re.findall(r"^\| (\d+)", text, re.MULTILINE)}
    assert {0, 1, 2, 3, 5, 130} <= exit_codes


def test_every_format_has_its_line() -> None:
    """A format that the README does not name is one that its reader converts from in vain."""
    lines = [line.lower() for line in README.read_text().splitlines() if line.startswith("|")]
    known = " ".join(line.split("|")[1] for line in lines)
    assert all(name in known for name in (*(each.name for each in FORMATS), *MARKS))
