"""Everything that the README and the pages say is run: commands print what stands there, Python gives what it shows.

`XENT_UPDATE_README=1 pytest tests/docs/test_pages.py` writes the output of the commands anew.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import shutil
import tomllib
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace

import numpy
import process
import pytest
import torch
from process import xent_here

from xentcli.cli.main import xent
from xentcli.sources.formats import FORMATS
from xentcli.sources.packed import MARKS

ROOT = Path(__file__).parents[2]
README, FOLDER = ROOT / "README.md", ROOT / "xentcli" / "docs"
PAGES = {path.stem: path for path in (README, *sorted(FOLDER.glob("*.md")))}
MOST_LINES, FIRST_SCREEN = 250, 8  # of the README, and of an example on its first screen
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]*)(?:#([\w-]+))?\)")
FILE = re.compile(r"# (\w+\.\w+)\n")  # the first line of a block that is a file of this name
PLAIN = {"COLUMNS": "80", "NO_COLOR": "1"}
SAVED = {"run.pt", "run.npz"}

# the last digits of torch's own losses are those of its AVX-512 kernels; elsewhere the words must be the same
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def blocks(page: str, kind: str) -> list[str]:
    return [content for name, content in BLOCK.findall(PAGES[page].read_text()) if name == kind]


def every(kind: str) -> list[tuple[str, int]]:
    """Page and number of each block of a kind."""
    return [(page, index) for page in PAGES for index in range(len(blocks(page, kind)))]


def commands(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def arguments(command: str) -> list[str]:
    program, *given = shlex.split(command)
    assert program == "xent"
    return given


def prepare(page: str, folder: Path) -> None:
    """The samples, and the files that the page gives."""
    (folder / "samples").symlink_to(ROOT / "samples")
    for block in blocks(page, "python"):
        if named := FILE.match(block):
            (folder / named[1]).write_text(block)


def transcript(block: str, folder: Path) -> str:
    """The block as a terminal would show it now."""
    shown = []
    for command in commands(block):
        ended = xent_here(*arguments(command), cwd=folder, env=PLAIN)
        shown.append(f"$ {command}\n{ended.out}{ended.err}")
    return "".join(shown).replace(str(folder), "/home/you/kernels")


def comparable(text: str) -> str:
    return text if torch.backends.cpu.get_cpu_capability() == "AVX512" else re.sub(r" +", " ", NUMBER.sub("#", text))


def anchors(path: Path) -> set[str]:
    """What can follow # in a link to this page."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize(("page", "index"), every("console"))
def test_commands_print_what_the_page_shows(page: str, index: int, tmp_path: Path) -> None:
    """A reader who types a command must see what the page showed."""
    block = blocks(page, "console")[index]
    prepare(page, tmp_path)
    now = transcript(block, tmp_path)
    if os.environ.get("XENT_UPDATE_README"):
        path = PAGES[page]
        path.write_text(path.read_text().replace(f"```console\n{block}```", f"```console\n{now}```"))
        return
    assert comparable(block) == comparable(now)


@pytest.mark.parametrize("page", PAGES)
def test_python_gives_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """The Python face, copied from the page from its beginning to its end."""
    prepare(page, tmp_path)
    names: dict[str, object] = {}
    for block in (block for block in blocks(page, "python") if ">>> " in block):
        test = doctest.DocTestParser().get_doctest(block, names, page, str(PAGES[page]), 0)
        with chdir(tmp_path):
            assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0
        names = test.globs


def test_logits_saved_as_the_readme_says_are_read(tmp_path: Path) -> None:
    """Each recipe of two lines must give a file that needs no further option."""
    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    predicted = SimpleNamespace(predictions=logits.numpy(), label_ids=labels.numpy())
    trainer = SimpleNamespace(predict=lambda dataset: predicted)
    recipes = [block for block in blocks("README", "python") if not FILE.match(block) and ">>> " not in block]
    assert len(recipes) == 3
    for recipe in recipes:
        assert recipe.count("\n") <= 2
        given = {"logits": logits, "labels": labels, "trainer": trainer, "dataset": None}
        with chdir(tmp_path):
            exec(recipe, given | {"numpy": numpy, "torch": torch})
        (file,) = tmp_path.iterdir()
        assert file.name in SAVED
        ended = xent_here("compute", file.name, "-q", cwd=tmp_path)
        assert ended.code == 0, ended.out + ended.err
        file.unlink()


@pytest.mark.parametrize("page", PAGES)
def test_no_command_escapes_the_tests(page: str) -> None:
    """A block of another kind, or a prompt outside of a block, would never be run."""
    text = PAGES[page].read_text()
    kinds = {kind for kind, _ in BLOCK.findall(text)}
    assert kinds <= {"console", "python", "yaml", "toml", "sh", "json"}
    assert text.count("```") == 2 * len(BLOCK.findall(text))
    prompts = re.findall(r"^\s*\$ ", text, re.MULTILINE)
    assert len(prompts) == sum(len(commands(block)) for block in blocks(page, "console"))
    assert kinds & {"yaml", "sh"} == set() or page == "README"
    assert all(json.loads(block) for block in blocks(page, "json"))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """A reader who follows a link must find a file, and the heading in it."""
    path = PAGES[page]
    for target, anchor in LINK.findall(BLOCK.sub("", path.read_text())):
        if "://" not in target:
            file = (path.parent / target).resolve() if target else path
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), anchor


@pytest.mark.parametrize("page", [page for page in PAGES if page != "README"])
def test_the_readme_links_every_page(page: str) -> None:
    """A page that the README does not link is one that nobody finds."""
    assert f"](xentcli/docs/{page}.md)" in README.read_text()


@pytest.mark.parametrize("page", [page for page in PAGES if page != "README"])
def test_a_page_begins_with_its_heading_and_a_sentence(page: str) -> None:
    """`xent docs` lists each page by that sentence, in one line."""
    heading, first, *_ = PAGES[page].read_text().split("\n\n")
    assert re.fullmatch(r"# .+", heading)
    assert first.rstrip().endswith(".")


def test_the_readme_is_short() -> None:
    """A reader decides on the first screen, and reads no thousand lines after it."""
    text = README.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    first = text.partition("\n## ")[0]
    assert max(content.count("\n") for _, content in BLOCK.findall(first)) <= FIRST_SCREEN


def test_the_first_example_ends_well(tmp_path: Path) -> None:
    """The first thing that a reader tries must not look like a failure."""
    prepare("README", tmp_path)
    ended = xent_here(*arguments(commands(blocks("README", "console")[0])[-1]), cwd=tmp_path)
    assert ended.code == 0


def test_the_ci_recipe_runs(tmp_path: Path) -> None:
    """The step of the workflow, on the digits."""
    for name in ("logits.npy", "labels.npy"):
        shutil.copy(ROOT / "samples" / "digits" / name, tmp_path)
    (workflow,) = blocks("README", "yaml")
    steps = re.findall(r"run: (xent .*)", workflow)
    assert steps
    for step in steps:
        ended = process.xent(*arguments(step), cwd=tmp_path)
        assert ended.code == 0, ended.out + ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"logits.npy", "labels.npy", "xent.xml", "xent.md"}


@pytest.mark.parametrize(("page", "index"), every("toml"))
def test_the_settings_of_a_page_are_settings(page: str, index: int, tmp_path: Path) -> None:
    """Each key must be one the program knows."""
    block = blocks(page, "toml")[index]
    assert tomllib.loads(block)["tool"]["xent"]
    (tmp_path / "pyproject.toml").write_text(block)
    ended = xent_here("random", "--samples", "3", "--classes", "2", "--seed", "1", "-q", cwd=tmp_path)
    assert ended.code == 0, ended.err


def test_ci_installs_and_tests_as_the_readme_says() -> None:
    """The page must not promise another installation than the one that is tried at every change."""
    script = (ROOT / ".ci" / "run").read_text()
    install, cpu, test = (block.strip() for block in blocks("README", "sh"))
    assert install.split(" && ")[-1] in script
    assert test.split(" && ")[-1] in script
    assert test.split(" && ")[-2].removeprefix("pip install ") in script
    assert cpu.split(" && ")[-2] in blocks("README", "yaml")[0]


def test_every_command_has_its_line() -> None:
    """A command that the README does not name is a command nobody finds."""
    text = README.read_text()
    assert all(f"`xent {name}" in text for name in xent.commands)
    exit_codes = {int(code) for code in re.findall(r"^\| (\d+)", text, re.MULTILINE)}
    assert {0, 1, 2, 3, 5, 130} <= exit_codes


def test_every_extra_has_its_line() -> None:
    """An extra that the README does not name is one that nobody installs."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r"^\| (`.*?) \|", README.read_text(), re.MULTILINE)
    assert {f"`{extra}`" for extra in extras} <= {name for cell in named for name in cell.split(", ")}


@pytest.mark.parametrize("page", ["README", "formats"])
def test_every_format_has_its_line(page: str) -> None:
    """A format that the page does not name is one that its reader converts from in vain."""
    lines = [line.lower() for line in PAGES[page].read_text().splitlines() if line.startswith("|")]
    known = " ".join(line.split("|")[1] for line in lines)
    assert all(name in known for name in (*(each.name for each in FORMATS), *MARKS))
