"""What is printed for people: no number is cut, and colours and signs only where they can be shown."""

from __future__ import annotations

import json
import os
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from process import AGREES, DIFFERS, INSTANT, SMALL, Ended, xent, xent_here
from screen import session

if TYPE_CHECKING:
    from pathlib import Path

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
TABLE = {"COLUMNS": "80"}
RUNS = {
    "small": SMALL,
    "underflows": ("compute", *DIFFERS),
    "many classes": ("random", "--samples", "30", "--classes", "40", "--seed", "2", "--scale", "50"),
    "float64": ("random", "--samples", "5", "--classes", "3", "--seed", "3", "--dtype", "float64", "--digits", "60"),
    "unreduced": ("random", "--samples", "9", "--classes", "3", "--seed", "4", "--reduction", "none"),
    "bfloat16": ("random", "--samples", "9", "--classes", "3", "--seed", "5", "--dtype", "bfloat16"),
}


def without_colours(text: str) -> str:
    """The same text as it is printed to a file; a coloured cell keeps the blanks at the end of its line."""
    return "".join(f"{line.rstrip()}\n" for line in ESCAPE.sub("", text).splitlines())


def losses(report: dict[str, Any], of_rows: tuple[str, ...]) -> list[float | str]:
    """Every loss of the report that its table shows as well, of rows those of these paths."""
    paths = [report["losses"][name]["value"] for name in ("library", "manual")]
    rows = [sample[name] for sample in report["samples"] for name in of_rows if not sample["ignored"]]
    return [value for value in paths + rows if value is not None]


def shown(text: str, dtype: str) -> set[float]:
    """Every number of a text, as the format holds it."""
    words = re.findall(r"(?<![\w.])-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)(?![\w.])", text)
    return {round_to(float(word), dtype) for word in words}


def round_to(value: float, dtype: str) -> float:
    if dtype == "bfloat16":  # eight of the bits of a float32, ties to even
        (bits,) = struct.unpack("I", struct.pack("f", value))
        return float(struct.unpack("f", struct.pack("I", (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000))[0])
    with np.errstate(over="ignore"):  # a perplexity may be beyond the format
        return float(np.dtype(dtype).type(value))


@pytest.mark.parametrize("arguments", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize(
    "env",
    [{"COLUMNS": "40"}, {"COLUMNS": "80"}, {"COLUMNS": "200"}, {"TERM": "dumb"}, {"NO_COLOR": "1"}, {"COLUMNS": "0"}],
    ids=lambda env: "-".join(*env.items()),
)
def test_no_digit_is_cut(arguments: tuple[str, ...], env: dict[str, str], tmp_path: Path) -> None:
    """A number that lost its last digits to the width of a pipe is another number."""
    report = json.loads(xent_here(*arguments, "--json", cwd=tmp_path).out)
    table = xent_here(*arguments, "--rows", "20", cwd=tmp_path, env=env).out
    assert "\x1b" not in table
    assert "…" not in table
    numbers = shown(table, report["options"]["dtype"])
    expected = losses(report, ("library",) if env.get("COLUMNS") == "40" else ("library", "manual"))
    assert expected
    assert {float(value) for value in expected} <= numbers
    if report["losses"]["reference"]["decimal"]:
        assert report["losses"]["reference"]["decimal"] in table.split()


def test_a_digit_that_is_cut_would_be_noticed() -> None:
    """The test above reads numbers as the format holds them: the last digit that tells two of them apart counts."""
    assert shown("1.9944096", "float32") != shown("1.994409", "float32")
    assert shown("2.3438", "bfloat16") == shown("2.34", "bfloat16") != shown("2.3", "bfloat16")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_sentences_fit_the_width(columns: int, tmp_path: Path) -> None:
    """A line of words that the terminal breaks within a word is hard to read."""
    lines = xent_here("compute", *DIFFERS, cwd=tmp_path, env={"COLUMNS": str(columns)}).out.splitlines()
    assert any(line.startswith("warning: ") for line in lines)
    assert all(len(line) <= columns or len(line.split()) == 1 or "xent explain" in line for line in lines)


def test_colours_in_a_pipe_only_when_forced(tmp_path: Path) -> None:
    """A log full of escape codes is unreadable; a log that shows colours asks for them."""
    plain = xent_here("compute", *DIFFERS, cwd=tmp_path, env=TABLE).out
    forced = xent_here("compute", *DIFFERS, cwd=tmp_path, env=TABLE | {"FORCE_COLOR": "1"}).out
    refused = xent_here("compute", *DIFFERS, cwd=tmp_path, env=TABLE | {"FORCE_COLOR": "1", "NO_COLOR": "1"}).out
    assert "\x1b" not in plain
    assert "\x1b[1;33mwarning" in forced
    assert without_colours(forced) == plain == refused


def test_no_colour_in_what_machines_read(tmp_path: Path) -> None:
    """JSON with escape codes is no JSON."""
    for form in ("json", "csv", "junit", "github", "markdown"):
        out = xent_here("compute", *DIFFERS, "-f", form, cwd=tmp_path, env={"FORCE_COLOR": "1"}).out
        assert "\x1b" not in out


def test_errors_have_colours_under_the_same_rule(tmp_path: Path) -> None:
    """The word `error` in red, or not."""
    plain, forced, refused = (
        xent_here("compute", "no", "no", cwd=tmp_path, env=env).err
        for env in ({}, {"FORCE_COLOR": "1"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"})
    )
    assert plain == refused == ESCAPE.sub("", forced)
    assert "\x1b" not in plain
    assert "\x1b" in forced


def at_a_terminal(*arguments: str, columns: int, cwd: Path, env: dict[str, str]) -> Ended:
    """The run as somebody sees it who started it in a terminal of this width."""
    with session(*arguments, columns=columns, cwd=cwd, env=env, program=INSTANT) as running:
        seen = running.end()
    return Ended(seen.code, seen.printed.replace("\r\n", "\n"), "")


def test_a_real_terminal(tmp_path: Path) -> None:
    """Colours on a terminal that has them, none on one that is dumb; the terminal's own width; nothing else differs."""
    colored, dumb = (
        at_a_terminal("compute", *DIFFERS, columns=columns, cwd=tmp_path, env={"TERM": term})
        for columns, term in ((80, "xterm"), (50, "dumb"))
    )
    assert (colored.code, dumb.code) == (0, 0)
    assert "\x1b[" in colored.out
    plain = [
        xent("compute", *DIFFERS, cwd=tmp_path, env={"COLUMNS": columns}, program=INSTANT).out
        for columns in ("80", "50")
    ]
    assert [without_colours(colored.out), dumb.out] == plain
    assert ESCAPE.findall(colored.out)[-1] == "\x1b[0m"  # the prompt that follows has its own colour


def test_an_error_at_a_real_terminal(tmp_path: Path) -> None:
    """The word `error` is red there."""
    ended = at_a_terminal("compute", "no", "no", columns=80, cwd=tmp_path, env={"TERM": "xterm"})
    assert (ended.code, ended.out.partition(":")[0]) == (2, "\x1b[31m\x1b[1merror\x1b[0m")


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_stream_that_lacks_our_signs(env: dict[str, str], tmp_path: Path) -> None:
    """`×` and the lines of tables are no reason to crash; the numbers are all there."""
    ended = xent("compute", *DIFFERS, cwd=tmp_path, env=env, program=INSTANT)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.isascii()
    assert "4096 x 10" in ended.out
    assert "\\" not in ended.out
    assert "holds: " in ended.out


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """File names are bytes; one that is not UTF-8 can be computed with, and every report of it can be written."""
    name = os.fsdecode(b"caf\xe9.npy")
    (tmp_path / name).symlink_to(AGREES[0])
    for form in ("table", "json", "csv", "markdown", "junit", "github"):
        ended = xent_here("compute", name, AGREES[1], "-f", form, "--report", f"{form}=kept", cwd=tmp_path)
        assert (ended.code, ended.err) == (0, ""), (form, ended)
        assert (tmp_path / "kept").read_text()
    ended = xent_here("compute", name + "x", AGREES[1], cwd=tmp_path)
    assert ended.code == 2
    assert r"caf\udce9.npyx" in ended.err
