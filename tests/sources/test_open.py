"""One way in for every file: what cannot be read is refused in one message, soon, and in little memory."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import suppress
from itertools import repeat
from pathlib import Path

import hostile
import numpy as np
import pytest
from hostile_npy import describing
from piped import piped

from xentcli.errors import Exit, InputError, XentError
from xentcli.sources.files import check_file, count, excerpt
from xentcli.sources.formats import OTHER_FORMATS
from xentcli.sources.open import open_array, open_pair

TESTS = Path(__file__).parent.parent


def run(code: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, cwd=TESTS, **options
    )


@pytest.mark.parametrize("name", hostile.FILES)
def test_a_hostile_file_is_refused_in_one_message(name, tmp_path):
    """A traceback, a guess or a hang would leave the user alone with a broken file."""
    case = hostile.FILES[name]
    path = tmp_path / f"file{case.suffix}"
    case.write(path)
    with pytest.raises(XentError) as caught:
        open_array(str(path)) if case.column is None else open_pair(str(path), case.column)
    message = str(caught.value)
    assert case.says in message
    assert str(path) in message
    assert caught.value.exit_code == Exit.BAD_INPUT
    assert len(message.replace(str(path), "")) < 400
    assert all(character.isprintable() or character == "\n" for character in message)


def test_there_are_enough_hostile_files():
    """The registry is walked by other tests too; an empty walk would pass."""
    assert len(hostile.FILES) >= 200


def test_hostile_files_take_little_memory(tmp_path):
    """A file of a few bytes that claims an exabyte, or a line without end, must not take the machine with it."""
    result = run(f"""
        import resource
        from pathlib import Path
        import hostile
        from hostile_case import repeated
        from xentcli.errors import XentError
        from xentcli.sources.open import open_array, open_pair

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), used + (1 << 30)))
        cases = hostile.FILES | {{"header of 100 MB": repeated(b"name,", 20_000_000, "without end")}}
        for number, (name, case) in enumerate(cases.items()):
            path = Path({str(tmp_path)!r}, f"{{number}}{{case.suffix}}")
            case.write(path)
            try:
                open_array(str(path)) if case.column is None else open_pair(str(path), case.column)
            except XentError as error:
                assert case.says in str(error), name
            if not path.is_dir():
                path.unlink(missing_ok=True)
        print("all refused")
        """)
    assert result.stdout == "all refused\n", result.stderr


@pytest.mark.parametrize("row", OTHER_FORMATS, ids=lambda row: f"{row[2]} {row[1][:4]!r}")
def test_every_other_format_is_known_by_its_mark(row, tmp_path):
    """Who dumps to another format learns what to do about it, not that line 1 has no numbers."""
    offset, mark, found, hint = row
    path = tmp_path / "file"
    path.write_bytes(b"\x01" * offset + mark)
    with pytest.raises(InputError) as caught:
        open_array(str(path))
    assert caught.value.details["found"] == found
    assert caught.value.details["hint"] == hint


@pytest.mark.parametrize("first", ["PK,marks", "BZh,marks", "PAR1,PAR2", "GG,UF", "x{,y", "version,marks"])
def test_names_that_begin_like_a_mark_are_names(first, tmp_path):
    """A column named PK is a primary key, not a ZIP archive."""
    path = tmp_path / "file.csv"
    path.write_text(first + "\n1,2\n")
    assert open_array(str(path)).values.tolist() == [[1, 2]]


def test_a_wrong_name_is_told_without_torch_and_numpy():
    """Importing torch takes seconds; a typing error should be told at once."""
    result = run("""
        import sys
        from xentcli.errors import InputError
        from xentcli.sources.files import check_file
        check_file("hostile.py")
        try:
            check_file("nothing.csv")
        except InputError as error:
            print(error.what, sorted({"numpy", "torch"} & set(sys.modules)))
        """)
    assert result.stdout == "no such file []\n", result.stderr


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    """Said before the work starts; root may read everything, so the answer of the system is given here."""
    path = tmp_path / "file.csv"
    path.write_text("1\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="no permission"):
        check_file(str(path))


def test_a_fault_while_reading_is_a_message(tmp_path, monkeypatch):
    """A network drive may go away in the middle."""
    path = tmp_path / "file.csv"
    path.write_text("1\n")

    def gone(file):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("xentcli.sources.source.pieces", gone)
    with pytest.raises(InputError) as caught:
        open_array(str(path))
    assert caught.value.details["found"] == "Input/output error"


@pytest.mark.parametrize("path", ["", "nothing/file.csv", "hostile.py/file.csv", "x" * 300, "a\0b"])
def test_impossible_names(path, monkeypatch):
    """Whatever a script puts together for a name, the answer is a message."""
    monkeypatch.chdir(TESTS)
    with pytest.raises(InputError):
        check_file(path)


def test_a_csv_comes_through_a_pipe():
    """`xent compute <(zcat logits.csv.gz)`: read once, and still every line is found."""
    with piped(b"a,b # names\r\n\r\n1,2\r\n# c\r\n3,-inf\r\n") as name:
        array = open_array(name)
    assert array.values.tolist() == [[1, 2], [3, -np.inf]]
    assert array.place((1, 0)) == "line 5, column 1"
    with piped(b"a,b\n1,2\n3,x\n") as name, pytest.raises(InputError, match="line 3, column 2"):
        open_array(name)
    with piped(b"a,b\n1,2\n") as name:
        assert open_pair(name, "b")[1].values.tolist() == [[2]]


def test_a_fifo_is_a_file(tmp_path):
    """check_file must not open it: what is read from a FIFO is gone."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    check_file(str(path))
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(path)!r}, 'w').write('1,2')"])
    assert open_array(str(path)).values.tolist() == [[1, 2]]
    assert writer.wait() == 0


@pytest.mark.parametrize("lost", [1, 8, 100, 130])
def test_an_array_that_ends_early_in_a_pipe(lost, tmp_path):
    """The writer died: half of the numbers are no answer."""
    np.save(tmp_path / "a.npy", np.arange(10.0))
    raw = (tmp_path / "a.npy").read_bytes()
    with piped(raw[:-lost]) as name, pytest.raises(InputError, match=r"cut off|within its header"):
        open_array(name)


def test_pipes_without_end():
    """Neither too much after an array, nor a line that never ends, is read for ever."""
    array = describing(shape="(6,)")
    with piped(_before(array, bytes(1 << 16))) as name, pytest.raises(InputError, match="goes on"):
        open_array(name)
    with piped(_before(b"1,2\n", b"1," * (1 << 16))) as name, pytest.raises(InputError, match="without end"):
        open_array(name)
    with piped(_before(b"1,2\n", bytes(1 << 16))) as name, pytest.raises(InputError, match="NUL"):
        open_array(name)


def _before(first: bytes, endless: bytes):
    yield first
    yield from repeat(endless)


def test_an_empty_pipe():
    """The command before it failed."""
    with piped(b"") as name, pytest.raises(InputError, match="empty"):
        open_array(name)


@pytest.mark.parametrize("is_pipe", [True, False])
def test_standard_input(is_pipe, tmp_path):
    """/dev/stdin is a pipe or a file, as the shell has it."""
    path = tmp_path / "file.csv"
    path.write_text("1,2\n3,4\n")
    code = """
        from xentcli.sources.open import open_array
        array = open_array("/dev/stdin")
        print(array.values.tolist(), array.place((1,)))
        """
    with path.open() as file:
        result = run(code, input=path.read_text()) if is_pipe else run(code, stdin=file)
    assert result.stdout == "[[1.0, 2.0], [3.0, 4.0]] line 2\n", result.stderr


def test_words():
    """Counts and excerpts stand in messages: the one is read as English, the other must not steer a terminal."""
    assert [count(0, "byte"), count(1, "byte"), count(2_000, "byte")] == ["0 bytes", "1 byte", "2,000 bytes"]
    assert excerpt("\x1b[2J") == r"'\x1b[2J'"
    assert len(excerpt("x" * 10**6)) == len(excerpt("\0" * 40)) == 42


def test_a_refused_file_is_closed(tmp_path):
    """A long session that tries many files must not run out of them."""
    before = set(Path("/dev/fd").iterdir())
    for case in [hostile.FILES["cell: word"], hostile.FILES["npy: 0 bytes of numbers"]]:
        path = tmp_path / f"file{case.suffix}"
        case.write(path)
        with suppress(XentError):
            open_array(str(path))
    assert set(Path("/dev/fd").iterdir()) == before
