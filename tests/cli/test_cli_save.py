"""What `xent random --save` writes: it is said, an ending is known or refused, and one folder is made at most."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from process import is_one_error, xent_here

from xentcli.cli.output import check_new_folder
from xentcli.errors import UsageError
from xentcli.sources.formats import FORMATS

RANDOM = ("random", "--samples", "7", "--classes", "5", "--seed", "3")
NAMES = ["data", *(f"a{form.suffixes[0]}" for form in FORMATS if form.saved), "a.csv.gz"]


@pytest.mark.parametrize("name", NAMES)
def test_what_was_written_is_said_and_can_be_explained(name: str, tmp_path: Path) -> None:
    """The files lie somewhere, and the command that the report ends its answer with does not find them."""
    ended = xent_here(*RANDOM, "--save", name, cwd=tmp_path)
    assert ended.code == 0
    written = re.findall(r"([^ ,]+) \([\d.]+ (?:bytes|kB)\)", ended.err)
    assert ended.err.startswith("note: written: ")
    here = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(written) == here
    command = next(line for line in ended.out.splitlines() if "xent explain" in line).partition("xent ")[2]
    told = xent_here(*shlex.split(command), cwd=tmp_path)
    row = command.split()[-1] if "--row" in command.split()[-2] else command.split("--row ")[1].split()[0]
    assert told.code == 0, told
    assert told.out.startswith(f"Row {row}: ")


def test_the_command_of_a_row_has_no_option_of_the_report(tmp_path: Path) -> None:
    """Whoever keeps a page of the run, too, is told a command that is refused when it is pasted."""
    reports = ("--report", "html=page.html", "--report", "json=report.json")
    ended = xent_here(*RANDOM, "--save", "data", *reports, cwd=tmp_path)
    assert ended.code == 0
    command = next(line for line in ended.out.splitlines() if "xent explain" in line).partition("xent ")[2]
    assert "report" not in command
    assert xent_here(*shlex.split(command), cwd=tmp_path).code == 0


def test_quiet_says_nothing(tmp_path: Path) -> None:
    """A script that asked for the verdict alone gets a line on standard error."""
    assert xent_here(*RANDOM, "--save", "data", "-q", cwd=tmp_path).err == ""


@pytest.mark.parametrize("name", ["a.foo", "data.v2", "a.foo.gz", "a.NPZ", "new.d/a.foo"])
def test_an_ending_that_no_format_has_is_refused(name: str, tmp_path: Path) -> None:
    """Whoever means a format that there is not gets a folder of that name."""
    ended = xent_here(*RANDOM, "--save", name, cwd=tmp_path)
    assert is_one_error(ended)
    assert "no format has the ending" in ended.err
    assert ".safetensors" in ended.err
    assert not list(tmp_path.iterdir())
    hint = re.search("hint +xent (.*)", ended.err)
    assert hint
    if "/" not in name:
        assert xent_here(*shlex.split(hint[1]), cwd=tmp_path).code == 0
        assert (tmp_path / name / "logits.npy").exists()
        assert xent_here(*RANDOM, "--save", name, cwd=tmp_path).code == 0  # it is a folder now


def test_one_folder_is_made_at_most(tmp_path: Path) -> None:
    """A slip of the pen makes a tree of folders."""
    for name in ("a/b", "a/b/c.npz"):
        ended = xent_here(*RANDOM, "--save", name, cwd=tmp_path)
        assert is_one_error(ended)
        assert "the folder is missing" in ended.err
        assert "hint      mkdir -p a" in ended.err
    assert not list(tmp_path.iterdir())


def test_no_folder_is_made_in_the_root() -> None:
    """`--save /data`, run by root in a container, means ./data most of the time."""
    with pytest.raises(UsageError, match="in the root of the system") as caught:
        check_new_folder(Path("/no-such-folder"))
    assert caught.value.details["hint"] == "mkdir /no-such-folder"
