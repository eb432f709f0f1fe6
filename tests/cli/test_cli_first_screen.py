"""The first lines of a terminal answer the question, and no row of a table is broken on a narrow one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from process import AGREES, DIFFERS, SAMPLES, xent_here

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = tuple(str(SAMPLES / "digits" / name) for name in ("logits.npy", "labels.npy"))
INT8 = str(SAMPLES / "digits" / "int8.npy")
KERNEL = """def loss(logits, target):
    shares = logits.exp() / logits.exp().sum(1, keepdim=True)
    return -shares.log()[range(len(target)), target].mean()
"""
FIRST = 8  # lines
PERSONAS = {
    "a student's row": (("explain", *DIGITS, "--row", "2"), ["class 4", "99.97 %", "nats", "-ln"]),
    "an engineer's claim": (("compute", *AGREES, "--expect", "11.99"), ["fails", "2.9977045", "sum-instead-of-mean"]),
    "an engineer's loss": (
        ("compute", *DIGITS),
        ["holds", "0.14107215", "perplexity 1.1515", "96.9 %", "0.141072156558", "right: off", "row 38", "says 9"],
    ),
    "two models": (
        ("compare", DIGITS[0], INT8, "--labels", DIGITS[1], "--max-kl", "1e-9"),
        ["fails: --max-kl", "0.000108", "KL", "same top 99.78 %"],
    ),
    "a kernel's battery": (("conform", "kernel.py:loss", "--only", "offsets"), ["fails", "offsets", "shifted"]),
}


def printed(arguments: tuple[str, ...], columns: int, folder: Path) -> list[str]:
    (folder / "kernel.py").write_text(KERNEL)
    ended = xent_here(*arguments, cwd=folder, env={"COLUMNS": str(columns)})
    assert ended.code in {0, 1}, ended
    return ended.out.splitlines()


@pytest.mark.parametrize(("arguments", "answer"), PERSONAS.values(), ids=PERSONAS)
def test_the_first_lines_answer(arguments: tuple[str, ...], answer: list[str], tmp_path: Path) -> None:
    """The one number that was asked for stands on line 59, below tables that nobody asked for."""
    lines = printed(arguments, 80, tmp_path)
    first = " ".join(" ".join(lines[:FIRST]).split())
    assert all(word in first for word in answer), first
    assert max(map(len, lines[:FIRST])) <= 80


@pytest.mark.parametrize("arguments", [DIGITS, AGREES, DIFFERS])
def test_the_last_line_is_the_verdict(arguments: tuple[str, str], tmp_path: Path) -> None:
    """`| tail -1` of a script, and the answer above all, are the same sentence."""
    ended = xent_here("compute", *arguments, cwd=tmp_path, env={"COLUMNS": "400"})
    quiet = xent_here("compute", *arguments, "-q", cwd=tmp_path).out
    lines = ended.out.splitlines()
    assert lines[0] == lines[-1] == quiet.rstrip("\n")


@pytest.mark.parametrize(
    "arguments",
    [
        *(arguments for arguments, _ in PERSONAS.values()),
        ("compute", *DIGITS, "--metrics", "--by", "class"),
        ("compute", *DIFFERS, "--reduction", "none"),
        ("compare", DIGITS[0], INT8, "--labels", DIGITS[1], "--by", "class", "--floor", "float16"),
        ("compare", DIGITS[0], INT8, str(SAMPLES / "digits" / "int4.npy"), "--labels", DIGITS[1]),
        ("random", "--samples", "9", "--classes", "30", "--seed", "1", "--dtype", "bfloat16"),
        ("explain", *AGREES, "--label-smoothing", "0.1", "--dtype", "bfloat16"),
        ("conform", "kernel.py:loss", "torch.nn.functional:cross_entropy", "--only", "offsets"),
    ],
    ids=lambda arguments: " ".join(word for word in arguments if "/" not in word),
)
def test_no_row_is_broken_at_40_columns(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """On half a screen each row of a table goes on in a second line, and its columns are lost."""
    lines = printed(arguments, 40, tmp_path)
    broken = [line for line in lines if len(line) > 40]
    # what is copied stands whole: a path, a command, digits, and lines of Python
    assert all(
        len(line.split()) == 1 or re.search(r"^xent |^see xent |^    |^>>> |^\.\.\. ", line) for line in broken
    ), broken


def test_every_row_is_shown_where_that_is_asked_for(tmp_path: Path) -> None:
    """`--rows all` of 450 rows shows 20, or JSON suddenly has 5."""
    table = xent_here("compute", *DIGITS, "--rows", "all", cwd=tmp_path).out
    assert len(re.findall(r"^ *\d+ +\d +[\d.e-]+ +[\d.e-]+ ", table, re.MULTILINE)) == 450
    assert "left out" not in table
    assert '"row": 16' in xent_here("compute", *DIGITS, "--json", cwd=tmp_path).out
    assert "445 of 450 rows left out; --rows all shows them" in xent_here("compute", *DIGITS, cwd=tmp_path).out


def test_marked_rows_are_marked_for_what_they_are(tmp_path: Path) -> None:
    """The hardest row and the one that torch rounds worst are both called the worst."""
    table = xent_here("compute", *DIGITS, cwd=tmp_path).out
    assert re.search(r"^ 38 .* hardest$", table, re.MULTILINE)
    assert re.search(r"^336 .* rounded worst$", table, re.MULTILINE)
    assert re.search(r"^ 64 .* furthest apart$", table, re.MULTILINE)
