"""`xent docs`: the manual where the program is, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from process import PROGRAM, SAMPLES, is_one_error, xent_here
from screen import session

from xentcli.docs import pages
from xentcli.render.manual import render
from xentcli.render.page import Page


def test_every_page_is_listed_in_a_line(tmp_path: Path) -> None:
    """Somebody who looks for a page finds it by its sentence."""
    lines = xent_here("docs", cwd=tmp_path).out.splitlines()
    assert [line.split()[0] for line in lines] == pages.names()
    assert all(line.endswith(".") for line in lines)


@pytest.mark.parametrize("name", pages.names())
def test_a_page_in_a_pipe_is_what_is_stored(name: str, tmp_path: Path) -> None:
    """A script, and a reader with another viewer, take the Markdown itself."""
    ended = xent_here("docs", name, cwd=tmp_path)
    assert (ended.code, ended.out) == (0, pages.page(name))


def test_the_schema_is_json(tmp_path: Path) -> None:
    """A validator reads it from standard input."""
    assert json.loads(xent_here("docs", "schema", cwd=tmp_path).out)["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize(("typed", "meant"), [("formts", "xent docs formats"), ("zzz", "hint      xent docs\n")])
def test_an_unknown_page_is_one_error(typed: str, meant: str, tmp_path: Path) -> None:
    """A slip of the finger gets the page's name, or the way to all names."""
    ended = xent_here("docs", typed, cwd=tmp_path)
    assert is_one_error(ended)
    assert meant in ended.err


@pytest.mark.parametrize("name", [name for name in pages.names() if name not in pages.SCHEMAS])
@pytest.mark.parametrize("color", [False, True])
def test_a_page_fits_the_terminal(name: str, color: bool) -> None:
    """Lines that break at the wrong place cannot be read; those of blocks alone are as they are."""
    text = pages.page(name)
    drawn = render(text, Page(80, color))
    assert drawn.strip()
    assert ("\x1b" in drawn) == color
    assert color or {line for line in drawn.splitlines() if len(line) > 80} <= set(text.splitlines())


@pytest.mark.parametrize("columns", [50, 120])
def test_a_page_at_a_real_terminal_has_its_width(columns: int, tmp_path: Path) -> None:
    """A reader sees a drawn page, and not the signs of Markdown."""
    with session("docs", "kernel", columns=columns, cwd=tmp_path, env={"TERM": "xterm"}, program=PROGRAM) as running:
        seen = running.end()
    assert seen.code == 0
    assert seen.printed.replace("\r\n", "\n") == render(pages.page("kernel"), Page(columns, color=True))


def test_a_command_is_not_broken() -> None:
    """A long command that is copied from the terminal must be one line."""
    command = f"$ xent compute {'x' * 80} {'y' * 80}"
    assert command in render(f"```console\n{command}\n```\n", Page(80, color=False)).splitlines()


def test_a_link_says_how_to_read_the_other_page() -> None:
    """In a terminal nobody can follow a file's name."""
    drawn = render("See [the words](glossary.md) and [formats](xentcli/docs/formats.md#files).", Page(80, color=False))
    assert drawn == "See the words (xent docs glossary) and xent docs formats.\n"


def test_samples_are_those_of_the_checkout(tmp_path: Path) -> None:
    """The commands of the pages must work where only the package is installed."""
    ended = xent_here("docs", "--samples", "new", cwd=tmp_path)
    assert ended.code == 0, ended.err
    written = {path.relative_to(tmp_path / "new") for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert written == {Path(name) for name, _ in pages.samples()}
    assert all((tmp_path / "new" / path).read_bytes() == (SAMPLES / path).read_bytes() for path in written)
    assert {path.name for path in tmp_path.iterdir()} == {"new"}


@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_samples_overwrite_nothing(there: str, tmp_path: Path) -> None:
    """A folder of that name may hold the reader's own numbers."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "mine.npy").write_text("mine")
    target = {"file": kept / "mine.npy", "folder": kept, "link": tmp_path / "link"}[there]
    if there == "link":
        target.symlink_to(kept)
    before = sorted(tmp_path.rglob("*"))
    ended = xent_here("docs", "--samples", str(target), cwd=tmp_path)
    assert is_one_error(ended)
    assert sorted(tmp_path.rglob("*")) == before
    assert (kept / "mine.npy").read_text() == "mine"


def test_nothing_is_left_of_samples_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the samples would look like all of them."""

    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    ended = xent_here("docs", "--samples", "samples", cwd=tmp_path)
    assert is_one_error(ended)
    assert not list(tmp_path.iterdir())


def test_samples_of_random_are_no_folder(tmp_path: Path) -> None:
    """The setting `samples` of all commands is how many `xent random` draws."""
    (tmp_path / "pyproject.toml").write_text("[tool.xent]\nsamples = 3\n")
    assert xent_here("docs", cwd=tmp_path, env={"XENT_SAMPLES": "3"}).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]
