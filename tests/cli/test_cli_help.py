"""Every help opens with examples that run, names the commands in the order of need, and has no empty lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from process import xent_here

from xentcli.cli.command import Command
from xentcli.cli.main import xent as group

if TYPE_CHECKING:
    from pathlib import Path

ORDER = ["compute", "random", "explain", "conform", "merge", "formats", "completion"]
EXAMPLES = {"xent": group.examples} | {
    name: command.examples for name, command in group.commands.items() if isinstance(command, Command)
}


def shown(name: str, folder: Path, *options: str) -> str:
    command = [] if name == "xent" else [name]
    ended = xent_here(*command, *options, "--help", cwd=folder, env={"COLUMNS": "80"})
    assert (ended.code, ended.err) == (0, "")
    return ended.out


def test_commands_stand_in_the_order_of_need(tmp_path: Path) -> None:
    """The first line that a newcomer reads is the command that a newcomer wants."""
    listed = re.findall(r"^  ([a-z]+)  ", shown("xent", tmp_path).partition("\nCommands:\n")[2], re.MULTILINE)
    assert [name for name in listed if name in ORDER] == ORDER
    assert listed == list(group.commands)


@pytest.mark.parametrize("name", ["xent", *ORDER])
def test_examples_come_first(name: str, tmp_path: Path) -> None:
    """Usage, one sentence, examples: whoever wants to try needs no more."""
    usage, sentence, examples = shown(name, tmp_path).split("\n\n")[:3]
    assert usage.startswith("Usage: ")
    assert sentence.startswith("  ")
    head, *lines = examples.splitlines()
    assert head == "Examples:"
    assert [line.removeprefix("  ") for line in lines] == list(EXAMPLES[name])
    assert 2 <= len(lines) <= 4


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name: str, tmp_path: Path) -> None:
    """An example that fails when it is pasted costs a new user."""
    for example in EXAMPLES[name]:
        found = re.search(r"xent( [^\")|]*)?", example)
        assert found is not None
        ended = xent_here(*found[0].split()[1:], cwd=tmp_path)
        assert ended.code == 0, example
        assert not ended.err or ended.err.startswith("note: written: "), example


@pytest.mark.parametrize("name", ["xent", *ORDER])
def test_every_entry_says_something(name: str, tmp_path: Path) -> None:
    """An option without a text, or with a range that no mathematician wrote, is worse than none."""
    out = shown(name, tmp_path)
    assert "None" not in out
    assert not re.search(r"[<>]=|=[<>]", out)
    lines = out.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if re.match(r"  (-|[A-Z[{])\S.*", line) and len(line) < 30 and not re.search(r"\S  +\S", line):
            assert after.startswith("     "), line


def test_help_does_not_read_settings(tmp_path: Path) -> None:
    """Whoever mends a faulty pyproject.toml needs the help of a command, too."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nnothing = 1\n")
    for name in ORDER:
        assert shown(name, tmp_path)


NEAR = {
    "a command": (["compoot"], "did you mean compute?"),
    "a command that is like none": (["zzz"], "xent --help"),
    "a code": (["explain", "softmax-underflo"], "did you mean softmax-underflow?"),
    "a word": (["explain", "undreflow"], "did you mean underflow?"),
    "a name that is like none": (["explain", "qqqq"], "xent explain --words"),
    "a family": (["conform", "x:y", "--only", "plan"], "did you mean plain?"),
    "a case": (["conform", "x:y", "--skip", "smoke/anser"], "did you mean "),
    "a file": (["compute", "data/logit.npy", "data/labels.npy"], "did you mean data/logits.npy?"),
    "a file of this folder": (["merge", "fist.json"], "did you mean first.json?"),
    "weights": (["random", "--samples=3", "--classes=2", "--weight=frst.json"], "did you mean first.json?"),
    "a file of Python": (["conform", "frst.py:loss"], "did you mean first.py?"),
    "known failures": (["conform", "x:y", "--xfail", "frst.py"], "did you mean first.py?"),
    "a file unlike all others": (["compute", "data/x", "data/labels.npy"], ""),
    "settings": (["--config", "frst.json", "formats"], "did you mean first.json?"),
}


@pytest.mark.parametrize(("arguments", "hint"), NEAR.values(), ids=NEAR)
def test_what_may_be_meant(arguments: list[str], hint: str, tmp_path: Path) -> None:
    """A slip of one letter is mended by the message."""
    (tmp_path / "data").mkdir()
    for name in ("data/logits.npy", "data/labels.npy", "first.json", "first.py"):
        (tmp_path / name).touch()
    ended = xent_here(*arguments, cwd=tmp_path)
    assert ended.code == 2
    assert (f"  hint      {hint}" if hint else "error: no such file") in ended.err
    assert hint or "hint" not in ended.err
