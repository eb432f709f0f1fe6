"""What the package promises: its lowest versions, what is shipped, and the files under .github/."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from process import AGREES, SAMPLES, environment

from xentcli import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
TOOLS = {"hypothesis", "pytest", "pytest-xdist"}  # of the test extra, what the smoke set runs in
ACTION = ROOT / ".github" / "actions" / "xent" / "action.yml"


def requirements(texts: list[str]) -> dict[str, Requirement]:
    return {requirement.name: requirement for requirement in map(Requirement, texts)}


def pins(name: str) -> dict[str, Version]:
    lines = (ROOT / "tests" / name).read_text().splitlines()
    return {package: Version(version) for package, _, version in (line.partition("==") for line in lines) if version}


def promised() -> dict[str, Version]:
    """The lower bound of each dependency, of each extra's, and of the tools that the smoke set runs in."""
    wanted = requirements(PROJECT["dependencies"])
    for extra in EXTRAS.keys() - {"test"}:
        wanted |= requirements(EXTRAS[extra])
    wanted |= {name: tool for name, tool in requirements(EXTRAS["test"]).items() if name in TOOLS}
    return {name: _lowest(requirement) for name, requirement in wanted.items()}


def _lowest(requirement: Requirement) -> Version:
    (bound,) = requirement.specifier
    assert bound.operator == ">="
    return Version(bound.version)


def test_the_lowest_versions_are_those_that_are_promised() -> None:
    """A bound that nobody installs is a guess: click 8.2 was promised, and broke every command."""
    lowest = promised()
    del lowest["torch"]  # of gigabytes, and so of one version
    assert pins("lowest.txt") == lowest


def test_the_versions_tested_keep_every_promise() -> None:
    """pip would refuse to install what contradicts itself, in the hands of the next developer."""
    tested = pins("constraints.txt")
    assert all(tested[name] >= bound for name, bound in promised().items() if name != "gcsfs")


def test_the_checks_install_every_extra_at_its_lowest() -> None:
    """An extra that is added and left out there would be promised and never tried."""
    named = re.search(r"-e '\.\[([\w,]+)\]' (.+)", (ROOT / ".ci" / "run").read_text())
    assert named is not None
    assert set(named[1].split(",")) == EXTRAS.keys() - {"test"}
    assert set(named[2].split()) == TOOLS


def run(*command: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment(**env))


def shipped(hook: str, folder: Path) -> Path:
    """What hatchling builds from this checkout."""
    code = f"import hatchling.build as b; print(b.{hook}({str(folder)!r}))"
    built = run(sys.executable, "-c", code, folder=ROOT)
    assert built.returncode == 0, built.stderr
    return folder / built.stdout.splitlines()[-1]


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    """Without py.typed its users' mypy sees no types; with tests their names would clash with the user's own."""
    with ZipFile(shipped("build_wheel", tmp_path)) as wheel:
        names = set(wheel.namelist())
        about = f"xentcli-{__version__}.dist-info"
        scripts = wheel.read(f"{about}/entry_points.txt").decode()
    assert {name.split("/")[0] for name in names} == {"xentcli", about}
    assert names >= {"xentcli/py.typed", "xentcli/conform/data/corpus.json", f"{about}/licenses/LICENSE"}
    assert "xent = xentcli.__main__:main" in scripts


def test_the_source_distribution_holds_what_checks_it(tmp_path: Path) -> None:
    """Whoever packages it for a system runs the tests from there."""
    with tarfile.open(shipped("build_sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"LICENSE", "README.md", "pyproject.toml", "tests/lowest.txt", "samples/README.md"}
    assert names >= {".github/page-light.webp", ".github/page-dark.webp", "tests/browser/measures.js"}
    assert names >= {"xentcli/py.typed", ".github/CONTRIBUTING.md", ".github/actions/xent/action.yml"}
    assert not {name for name in names if "__pycache__" in name}


def test_the_pictures_of_the_readme_are_there() -> None:
    """A reader sees the words for a picture, or waits for a megabyte."""
    named = re.findall(r'(?:src|srcset)="([^"]+)"', (ROOT / "README.md").read_text())
    assert {Path(name).stem for name in named} == {"page-light", "page-dark"}
    assert all((ROOT / name).stat().st_size <= 150_000 for name in named)


def test_the_citation_is_one() -> None:
    """Reference managers refuse a citation that lacks one of these."""
    citation = yaml.safe_load((ROOT / ".github" / "CITATION.cff").read_text())
    assert citation.keys() >= {"cff-version", "message", "title", "authors"}
    assert (citation["version"], citation["license"], citation["type"]) == (__version__, PROJECT["license"], "software")


def test_the_changelog_has_this_version() -> None:
    """Whoever upgrades looks for the number that `xent --version` printed."""
    assert f"\n## {__version__}" in (ROOT / ".github" / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.md")), ids=lambda path: path.name)
def test_the_paths_that_the_pages_name_are_there(path: Path) -> None:
    """A contributor who is sent to a file that was moved gives up."""
    named = re.findall(r"`((?:xentcli|tests|samples|\.ci|\.github)/[\w./-]+)`", path.read_text())
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def steps(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text())["runs"]["steps"]
    return found


def act(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The action's own shell line, as a runner starts it: inputs come by the environment, `xent` from PATH."""
    (folder / "xent").write_text(f'#!/bin/sh\nexec {sys.executable} -m xentcli "$@"\n')
    (folder / "xent").chmod(0o755)
    step = steps(ACTION)[-1]
    given = {name: inputs.get(name, "") for name in step["env"]}
    command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
    return run(*command, folder=folder, PATH=f"{folder}:{os.environ['PATH']}", **given)


def test_every_input_of_the_action_reaches_its_shell() -> None:
    """An input pasted into the script itself could run any command that a pull request names."""
    action = yaml.safe_load(ACTION.read_text())
    text = " ".join(f"{step.get('env', '')} {step.get('with', '')}" for step in steps(ACTION))
    assert all(f"inputs.{name} " in text for name in action["inputs"])
    assert not any("${{" in step["run"] for step in steps(ACTION) if "run" in step)


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"LOGITS": AGREES[0], "LABELS": AGREES[1]}, 0),
        ({"LOGITS": AGREES[0], "LABELS": AGREES[1], "EXPECT": "2.998"}, 0),
        ({"LOGITS": AGREES[0], "LABELS": AGREES[1], "EXPECT": "11.99"}, 1),
        ({"LOGITS": AGREES[0], "LABELS": AGREES[1], "EXPECT": "11.99", "ARGS": "--reduction sum"}, 0),
        ({"LOGITS": str(SAMPLES / "one_file" / "samples.csv"), "ARGS": "--label-column label"}, 0),
        ({"LOGITS": AGREES[0], "LABELS": "; false.npy"}, 2),
    ],
)
def test_the_action_gives_the_verdict(inputs: dict[str, str], code: int, tmp_path: Path) -> None:
    """The job is green, or red with an annotation."""
    ended = act(tmp_path, **inputs)
    assert ended.returncode == code, ended
    assert ("::error" in ended.stdout) == (code == 1)


def test_the_example_uses_the_action() -> None:
    """An example with an input that the action lacks fails in the reader's repository."""
    (path,) = (ROOT / ".github" / "workflows-examples").glob("*.yml")
    (job,) = yaml.safe_load(path.read_text())["jobs"].values()
    (step,) = (step for step in job["steps"] if step.get("uses", "").endswith(".github/actions/xent"))
    assert step["with"].keys() <= yaml.safe_load(ACTION.read_text())["inputs"].keys()
