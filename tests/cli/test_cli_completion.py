"""What the Tab key offers, by the protocol that the shells' scripts speak, and in the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from process import TIMEOUT, environment, xent_here

from xentcli.cli.main import xent as group
from xentcli.render.registry import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = ("bash", "zsh", "fish")


def offered(shell: str, words: list[str], folder: Path) -> list[str]:
    """What the last word can become; each shell has its own way to say it."""
    line, last = " ".join(words), words[-1]
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "fish": {"COMP_WORDS": " ".join(words[:-1]), "COMP_CWORD": last},
    }[shell]
    ended = xent_here(cwd=folder, env={"_XENT_COMPLETE": f"{shell}_complete"} | asked)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    return lines[1::3] if shell == "zsh" else [text.partition(",")[2].partition("\t")[0] for text in lines]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["xent", "comp"], {"compute", "compare", "completion"}),
        (["xent", "r"], {"random"}),
        (["xent", "compute", "--label-"], {"--label-smoothing", "--label-column"}),
        (["xent", "compute", "--dtype", "b"], {"bfloat16"}),
        (["xent", "random", "--reduction", "n"], {"none"}),
        (["xent", "random", "-f", "j"], {"json", "junit"}),
        (["xent", "random", "--report", "j"], {"json=", "junit="}),
        (["xent", "completion", "z"], {"zsh"}),
        (["xent", "conform", "x:y", "--only", "half-"], {"half-overflow", "half-accumulation"}),
        (["xent", "conform", "x:y", "--skip", "smoke/"], {"smoke/two-equal-logits", "smoke/three-classes"}),
        (["xent", "--color", "a"], {"auto", "always"}),
        (["xent", "compute", "--color", "n"], {"never"}),
    ],
)
def test_offers(shell: str, words: list[str], expected: set[str], tmp_path: Path) -> None:
    """Commands, options and their values."""
    assert set(offered(shell, words, tmp_path)) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_codes_and_words_are_offered_beside_files(shell: str, tmp_path: Path) -> None:
    """Nobody remembers how a code is spelt; files keep being completed by the shell."""
    found = offered(shell, ["xent", "explain", "sum-inst"], tmp_path)
    assert set(found) - {"sum-inst"} == {"sum-instead-of-mean"}
    assert "within" in offered(shell, ["xent", "explain", "wit"], tmp_path)


@pytest.mark.parametrize("name", group.commands)
def test_every_option_and_choice_is_offered(name: str, tmp_path: Path) -> None:
    """An option that Tab does not know is one that nobody finds."""
    command = group.commands[name]
    options = {opt for param in command.params for opt in param.opts if opt.startswith("--")}
    assert set(offered("bash", ["xent", name, "--"], tmp_path)) == options | {"--help"}
    assert set(offered("bash", ["xent", "compute", "--report", ""], tmp_path)) == {f"{form}=" for form in FORMATS}


def test_files_are_left_to_the_shell(tmp_path: Path) -> None:
    """The shell completes names of files better than we could: it is told that a file is wanted."""
    for words in (["xent", "compute", ""], ["xent", "compute", "--weight", ""], ["xent", "random", "--save", ""]):
        ended = xent_here(
            cwd=tmp_path,
            env={"_XENT_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)},
        )
        assert ended.out.startswith("file,")


def test_a_faulty_setting_does_not_disturb_the_shell(tmp_path: Path) -> None:
    """The Tab key must not print an error over the line that somebody types."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nnothing = 1\n")
    assert offered("bash", ["xent", "comp"], tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_accepts_its_script(shell: str, tmp_path: Path) -> None:
    """A script with a fault would greet its user with an error in every new terminal."""
    ended = xent_here("completion", shell, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "_XENT_COMPLETE" in ended.out
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path / "script"
    script.write_text(ended.out)
    checked = subprocess.run(
        [program, "-n", script], env=environment(), capture_output=True, timeout=TIMEOUT, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_bash_completes(tmp_path: Path) -> None:
    """The script and the program understand each other: what stands in bash's answer after one Tab."""
    program, bash = shutil.which("xent"), shutil.which("bash")
    if program is None or bash is None:
        pytest.skip("the program is not installed, or there is no bash")
    script = xent_here("completion", "bash", cwd=tmp_path).out
    tab = 'COMP_WORDS=(xent compute --dtype f); COMP_CWORD=3; _xent_completion xent; echo "${COMPREPLY[@]}"'
    answer = subprocess.run(
        [bash, "-c", f"{script}\n{tab}"], env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert answer.stdout.split() == ["float64", "float32", "float16"]
