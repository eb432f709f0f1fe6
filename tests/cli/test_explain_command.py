"""`xent explain` as its users start it; `XENT_UPDATE_GOLDEN=1 pytest tests/cli` writes the golden files again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from process import AGREES, DIFFERS, SAMPLES, environment, is_one_error, xent, xent_here

from xentcli import __version__

GOLDEN = Path(__file__).parents[1] / "golden"
UPDATE = os.environ.get("XENT_UPDATE_GOLDEN") == "1"
ROOT = SAMPLES.parent


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_text_is_the_golden_one(form: str) -> None:
    """The screen of the lesson that the README points to; its numbers are the same on every machine."""
    ended = xent_here("explain", *relative(DIFFERS), "--row", "1", "-f", form, cwd=ROOT)
    told = ended.out.replace(f'"{torch.__version__}"', '"TORCH"').replace(
        f'"version": "{__version__}"', '"version": "OURS"'
    )
    golden = GOLDEN / f"explain_confident_wrong.{form}"
    if UPDATE:
        golden.write_bytes(told.encode())
    assert golden.read_bytes().decode() == told


def test_no_golden_file_is_left_over() -> None:
    """A golden file that no test compares seems to prove something."""
    expected = {f"explain_confident_wrong.{form}" for form in ("table", "json")}
    assert {path.name for path in GOLDEN.glob("explain_*")} == expected


def relative(paths: tuple[str, ...]) -> list[str]:
    return [str(Path(path).relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((*AGREES, "--row", "2"), 0),
        (AGREES, 0),
        ((*DIFFERS, "--row", "0"), 0),
        ((*DIFFERS, "--row", "1"), 0),
        (DIFFERS, 0),
        ((*DIFFERS, "--row", "4"), 2),
        ((*DIFFERS, "--row", "-1"), 2),
        ((*DIFFERS, "--reduction", "sum"), 2),
        (DIFFERS[:1], 2),
        ((*DIFFERS, "-f", "junit"), 2),
        ((*DIFFERS, "--dtype", "float64"), 0),
    ],
)
def test_the_exit_code_is_the_verdict_on_the_row(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """Scripts branch on it; and a row that is right in a file that is wrong is right."""
    ended = xent_here("explain", *arguments, cwd=tmp_path)
    assert ended.code == code
    assert is_one_error(ended) == (code == 2)


def test_a_row_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    """It says how many rows there are."""
    ended = xent_here("explain", *DIFFERS, "--row", "4", cwd=tmp_path)
    assert ended.err.splitlines() == [
        "error: there is no row 4",
        f"  at        {DIFFERS[0]}",
        "  found     4 rows, counted from 0",
        "  expected  at most 3",
    ]


def test_a_pipe_gets_no_colors_and_no_color_is_obeyed(tmp_path: Path) -> None:
    """Escape codes in a file are rubbish."""
    arguments = ("explain", *DIFFERS, "--row", "1")
    assert "\x1b" not in xent_here(*arguments, cwd=tmp_path).out
    assert "\x1b" in xent_here(*arguments, cwd=tmp_path, env={"FORCE_COLOR": "1"}).out
    assert "\x1b" not in xent_here(*arguments, cwd=tmp_path, env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).out


@pytest.mark.parametrize(
    ("files", "options"),
    [
        (("tutorial/logits.npy", "tutorial/labels.npy"), ()),
        (("confident_wrong/logits.npy", "confident_wrong/labels.npy"), ("--dtype", "bfloat16")),
        (("masked/logits.csv", "masked/labels.csv"), ()),
        (("soft/logits.csv", "soft/targets.csv"), ("--label-smoothing", "0.1")),
        (("weights/logits.csv", "weights/labels.csv"), ("--weight", str(SAMPLES / "weights" / "weight.csv"))),
        (("ignored/logits.npy", "ignored/labels.npy"), ("--class-axis", "-1", "--row", "5")),
        (("ignored/logits.npy", "ignored/labels.npy"), ("--class-axis", "-1", "--dtype", "float16")),
        (("digits/logits.csv", "digits/labels.csv"), ("--row", "100")),
        (("one_file/samples.csv",), ("--label-column", "label")),
    ],
)
def test_every_sample_fits_80_columns(files: tuple[str, ...], options: tuple[str, ...], tmp_path: Path) -> None:
    """The lessons are read on terminals of 80 columns; a path may be as long as it is."""
    ended = xent_here("explain", *(str(SAMPLES / file) for file in files), *options, cwd=tmp_path)
    assert ended.code in {0, 1}
    assert not ended.err
    assert all(len(line) <= 80 or str(SAMPLES) in line for line in ended.out.splitlines())


def test_a_file_gets_what_the_screen_would(tmp_path: Path) -> None:
    """-o is for keeping an explanation."""
    printed = xent_here("explain", *AGREES, "--json", cwd=tmp_path)
    kept = xent_here("explain", *AGREES, "--json", "-o", "told.json", cwd=tmp_path)
    assert (kept.out, kept.code) == ("", printed.code)
    assert (tmp_path / "told.json").read_text() == printed.out
    assert json.loads(printed.out)["schema_version"] == "2.0"


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    """Half an explanation would be taken for a whole one."""
    xent_here("explain", *AGREES, "--row", "99", "-o", "told.txt", cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_digits_are_printed(tmp_path: Path) -> None:
    """--digits is how a student sees that the true value is known."""
    told = xent_here("explain", *DIFFERS, "--row", "1", "--digits", "5", "--json", cwd=tmp_path)
    assert json.loads(told.out)["losses"]["reference"]["decimal"] == "120.00"


def test_help_needs_neither_torch_nor_numpy(tmp_path: Path) -> None:
    """Help that takes seconds is not asked for twice."""
    program = (
        "import sys; sys.argv = ['xent', 'explain', '--help']\n"
        "from xentcli.cli.main import main\n"
        "try: main()\n"
        "finally: print({'torch', 'numpy'} & set(sys.modules), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert ended.stderr == "set()\n"
    assert "--reduction" not in ended.stdout


def test_it_runs_as_a_process(tmp_path: Path) -> None:
    """As everybody starts it."""
    ended = xent("explain", *DIFFERS, cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.endswith("underflows; 2 warnings: softmax-underflow, manual-gradient\n")
