"""Text is read to the very numbers that Python reads, and every fault is found where it stands."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import hostile_csv
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from xentcli.errors import InputError, UsageError
from xentcli.sources.headings import no_class
from xentcli.sources.open import open_array, open_pair
from xentcli.sources.pairs import open_inputs
from xentcli.sources.readers.csv import HINTS
from xentcli.sources.readers.layout import MOST_COLUMNS, NUMBER
from xentcli.sources.tabular import Tabular

if TYPE_CHECKING:
    from pathlib import Path

same_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

SPELLINGS = [repr, "{:.17e}".format, "{:+.17g}".format, "{:.17G}".format, " {!r} ".format]
SPECIAL = {"nan": ["nan", "NaN", "NAN"], "inf": ["inf", "Infinity", "+INF"], "-inf": ["-inf", "-Infinity", "-INF"]}
EVERY = Tabular.of(columns=":")  # whatever the columns look like beside each other
FILLERS = ["", "# a comment", "#", "# 1,2;3\t4", "   ", "  # after blanks", "\t"]
NAMES = st.text(st.characters(categories=["L"]), min_size=1, max_size=8).filter(
    lambda name: (
        not NUMBER.fullmatch(name)
        and name.lower() not in {"na", "null", "none", "true", "false"}
        and not no_class(name)
    )
)


@dataclass
class Document:
    """A file, what is in it, and where."""

    raw: bytes
    values: np.ndarray
    lines: list[int]  # of the rows, from 1, counted while they were written
    names: list[str]


@st.composite
def documents(draw: st.DrawFn) -> Document:
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    values = np.array([[draw(st.floats()) for _ in range(columns)] for _ in range(rows)])
    delimiter = draw(st.sampled_from([",", ";", "\t", " ", "   ", ", ", " ;"]))
    names = draw(st.lists(NAMES, min_size=columns, max_size=columns) | st.just([]))
    filler = st.lists(st.sampled_from(FILLERS), max_size=2)
    written, lines = [], []
    if names:
        written += [*draw(filler), delimiter.join(names)]
    for row in values:
        written += draw(filler)
        comment = draw(st.sampled_from(["", "# why", " # 7,8"]))
        written.append(delimiter.join(draw(spelling(value)) for value in row.tolist()) + comment)
        lines.append(len(written))
    written += draw(filler)
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return Document((mark + end.join(written) + draw(st.sampled_from(["", end]))).encode(), values, lines, names)


def spelling(value: float) -> st.SearchStrategy[str]:
    if str(value) in SPECIAL:
        return st.sampled_from(SPECIAL[str(value)])
    return st.sampled_from(SPELLINGS).map(lambda spell: spell(value))


def read(tmp_path: Path, raw: bytes | str, name: str = "file.csv"):
    path = tmp_path / name
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return open_array(str(path), table=EVERY)


def refusal(tmp_path: Path, raw: bytes | str) -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, raw)
    return str(caught.value)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


@same_directory
@given(document=documents())
def test_every_spelling_reads_back(tmp_path, document):
    """A digit, a sign of zero or a row lost here would be blamed on the user's loss."""
    array = read(tmp_path, document.raw)
    assert_same(array.values, document.values)
    assert (array.format, array.dtype, array.typed) == ("csv", "text", False)
    assert array.values.dtype == np.float64
    assert array.values.flags.c_contiguous


@same_directory
@given(document=documents())
def test_place_is_the_line_that_a_counter_finds(tmp_path, document):
    """Who opens an editor at the line of a message must see the number it speaks of."""
    array = read(tmp_path, document.raw)
    for row, line in enumerate(document.lines):
        assert array.place((row,)) == f"line {line}"
        for column in range(array.shape[1]):
            assert array.at((row, column)) == f"{array.path}, line {line}, column {column + 1}"
    assert array.place(()) == f"line {document.lines[0]}"


@same_directory
@given(document=documents(), data=st.data())
def test_a_fault_is_found_where_it_was_put(tmp_path, document, data):
    """A message that points to a wrong place costs an hour in a file of a gigabyte."""
    row = data.draw(st.integers(min(1, len(document.lines) - 1), len(document.lines) - 1))
    number = document.lines[row]
    raw = document.raw.decode()
    ends = re.findall(r"\r\n|\r|\n", raw)
    lines = re.split(r"\r\n|\r|\n", raw)
    cells = re.split(r"(\s*[,;]\s*|\s+)", lines[number - 1].partition("#")[0].strip("\ufeff \t"))
    column = data.draw(st.integers(0, len(cells) // 2))
    cells[2 * column] = "0x1"
    lines[number - 1] = "".join(cells)
    broken = "".join(line + end for line, end in zip(lines, [*ends, ""], strict=True))
    message = refusal(tmp_path, broken)
    assert f"line {number}, column {column + 1}" in message
    assert "0x1" in message


@same_directory
@given(document=documents(), data=st.data())
def test_a_table_is_its_logits_and_its_labels(tmp_path, document, data):
    """With the label column in the wrong place every loss is wrong, and none looks it."""
    columns = document.values.shape[1]
    assume(columns > 1)
    column = data.draw(st.integers(0, columns - 1))
    name = str(data.draw(st.sampled_from([column, column - columns])))
    if document.names:
        name = document.names[column]
        if document.names.count(name) > 1:
            return
    path = tmp_path / "table.csv"
    path.write_bytes(document.raw)
    logits, labels = open_pair(str(path), name, table=EVERY)
    assert_same(logits.values, np.delete(document.values, column, axis=1))
    assert_same(labels.values, document.values[:, [column]])
    assert logits.values.flags.c_contiguous
    assert labels.values.flags.c_contiguous
    last = f"line {document.lines[-1]}"
    assert labels.place((-1,)) == last
    assert labels.place((-1, 0)) == f"{last}, column {column + 1}"
    for other in range(columns - 1):
        assert logits.place((-1, other)) == f"{last}, column {other + 1 + (other >= column)}"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", ["", "one, two; three"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int64])
def test_what_numpy_saves_is_read(tmp_path, delimiter, header, dtype):
    """savetxt is how most of these files are made; its header is a comment."""
    values = (np.random.default_rng(1).standard_normal((50, 7)) * 1000).astype(dtype)
    buffer = io.StringIO()
    np.savetxt(buffer, values, delimiter=delimiter, header=header)
    array = read(tmp_path, buffer.getvalue())
    np.testing.assert_array_equal(array.values, values)
    assert array.place((0,)) == ("line 2" if header else "line 1")


@settings(deadline=None, max_examples=500)
@given(st.text("0123456789+-.eEnaifty_xdj ١−", max_size=8) | st.from_regex(NUMBER, fullmatch=True))
def test_the_grammar_is_that_of_python_and_of_numpy(cell):
    """Were the slow reader stricter or laxer than the fast one, a file would be read or not as its size decides."""
    try:
        is_number = not np.isnan(float(cell)) or True
    except ValueError:
        is_number = False
    is_number &= "_" not in cell and cell.isascii()
    assert bool(NUMBER.fullmatch(cell.strip())) == is_number
    try:
        numpy_reads = bool(np.loadtxt([f"0,{cell}"], delimiter=",", ndmin=2).size)
    except ValueError:
        numpy_reads = False
    assert numpy_reads == is_number


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("a,b", ["a", "b"]),
        ('"a","b"', ["a", "b"]),
        ('"a,1","b;2"', ["a,1", "b;2"]),
        ('"a #1",b # the second', ["a #1", "b"]),
        ('"say ""a""",b', ['say "a"', "b"]),
        ("0,marks", ["0", "marks"]),
        ("marks,0", ["marks", "0"]),
        ("0_logit,marks", ["0_logit", "marks"]),
        ("<pad>,_x", ["<pad>", "_x"]),
        ("'a','b'", ["'a'", "'b'"]),
        ("true class,gain", ["true class", "gain"]),
        ("größe,π", ["größe", "π"]),
        ("\ufeff a , b ", ["a", "b"]),
    ],
)
def test_a_line_of_names_is_a_header(tmp_path, first, names):
    """Spreadsheets, pandas and R write names in these ways; one misread as a row would shift all labels."""
    path = tmp_path / "named.csv"
    path.write_text(first + "\n1,2\n")
    assert read(tmp_path, first + "\n1,2\n").values.tolist() == [[1, 2]]
    for column, name in enumerate(names):
        labels = open_pair(str(path), name)[1]
        assert labels.values.tolist() == [[column + 1]]


@pytest.mark.parametrize("first", ["1,2", "nan,inf", "0.5,1", "+1,-2", "1e5,2", ".5,2."])
def test_a_line_of_numbers_is_a_row(tmp_path, first):
    """A row taken for a header is a sample lost in silence."""
    assert read(tmp_path, first + "\n3,4\n").shape == (2, 2)


@pytest.mark.parametrize("first", ["0.5,x", "x,0.5", "nan,x", "NA,1", "1_0,2", "-,1", "1,", ",", "٣"])
def test_a_row_with_a_fault_is_no_header(tmp_path, first):
    """The first row is misspelt as easily as any other; to skip it would be a wrong loss without a word."""
    columns = first.count(",")
    assert "line 1" in refusal(tmp_path, first + "\n" + "3," * columns + "4\n")


def test_a_column_of_names_with_blanks(tmp_path):
    """One column has no delimiter, so the blanks of its name are not one."""
    path = tmp_path / "one.csv"
    path.write_text("true class\n3\n1\n")
    assert open_array(str(path)).values.tolist() == [[3], [1]]
    assert open_pair(str(path), "true class")[1].values.tolist() == [[3], [1]]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".lzma"])
def test_text_named_as_if_packed(tmp_path, suffix):
    """numpy would unpack by the name alone, and fail."""
    assert read(tmp_path, "1,2\n3,4\n", f"text.csv{suffix}").values.tolist() == [[1, 2], [3, 4]]


def test_a_name_like_an_address_is_a_file(tmp_path, monkeypatch):
    """numpy downloads what looks like an address; a file of that name must be read from the disk."""
    (tmp_path / "http:" / "localhost:1").mkdir(parents=True)
    (tmp_path / "http:" / "localhost:1" / "x.csv").write_text("1,2\n")
    monkeypatch.chdir(tmp_path)
    assert open_array("http://localhost:1/x.csv").values.tolist() == [[1, 2]]


def test_rows_as_wide_as_a_vocabulary(tmp_path):
    """Language models have 128,256 classes: 2.5 MB a line."""
    values = np.random.default_rng(2).standard_normal((2, 128_256))
    buffer = io.StringIO()
    np.savetxt(buffer, values, delimiter=",")
    names = ",".join(f"token {token}" for token in range(128_256))
    array = read(tmp_path, f"{names}\n{buffer.getvalue()}")
    np.testing.assert_array_equal(array.values, values)
    assert array.place((1, 128_255)) == "line 3, column 128256"


def test_as_many_columns_as_are_read(tmp_path):
    """The limit is a promise from both sides: the greatest number of columns is read, one more is refused."""
    row = "1," * (MOST_COLUMNS - 1) + "1"
    assert read(tmp_path, row).shape == (1, MOST_COLUMNS)
    assert "columns" in refusal(tmp_path, row + ",1")


def test_numbers_beyond_float64_are_infinite_as_in_python(tmp_path):
    """As `float("1e400")` has it; nobody should get another number here."""
    assert read(tmp_path, "1e400,-1e400,1e-400\n").values.tolist() == [[np.inf, -np.inf, 0.0]]


def test_every_hint_is_given():
    """A hint that no cell calls for helps nobody."""
    cells = [*hostile_csv.BAD_CELLS.values(), "", "1,5", "1,234.5", '"1']
    for pattern, hint in HINTS.items():
        assert any(pattern.fullmatch(cell) for cell in cells), hint


def test_no_number_has_a_hint():
    """A pattern that fits a number shows a pattern that is too wide."""
    for cell in ["0", "1.5", "-1e5", "nan", "inf"]:
        assert not any(pattern.fullmatch(cell) for pattern in HINTS), cell


def test_a_label_column_is_asked_for_by_the_commands_user(tmp_path):
    """A wrong name is a fault of the command line, not of the file."""
    path = tmp_path / "file.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="no column"):
        open_pair(str(path), "c")


# what pandas writes for a frame and a series without names
COUNTED = "0,1,2\n0.5,-1.0,2.25\n1.5,0.0,-3.0\n"
WHOLE = "0,1,2\n5,-1,2\n1,0,-3\n"
SERIES = "0\n2\n1\n"


def pair(folder, logits, labels):
    (folder / "z.csv").write_text(logits)
    (folder / "y.csv").write_text(labels)
    return [array.values.tolist() for array in open_inputs(str(folder / "z.csv"), str(folder / "y.csv"), None)]


@pytest.mark.parametrize("labels", [SERIES, SERIES.removeprefix("0\n")], ids=["series", "bare"])
@pytest.mark.parametrize("logits", [COUNTED, COUNTED.partition("\n")[2]], ids=["frame", "bare"])
def test_a_header_that_counts_is_a_header(tmp_path, logits, labels):
    """One more sample than there is, and every label one row late: a loss that nobody would doubt."""
    assert pair(tmp_path, logits, labels) == [[[0.5, -1.0, 2.25], [1.5, 0.0, -3.0]], [[2], [1]]]


def test_whole_numbers_are_told_by_the_other_file(tmp_path):
    """Whole logits do not tell a header from a row; the number of labels does, and what it leaves open is refused."""
    assert pair(tmp_path, WHOLE, "2\n1\n") == [[[5, -1, 2], [1, 0, -3]], [[2], [1]]]
    assert pair(tmp_path, WHOLE, "2\n0\n1\n") == [[[0, 1, 2], [5, -1, 2], [1, 0, -3]], [[2], [0], [1]]]
    with pytest.raises(UsageError, match="header or numbers"):
        pair(tmp_path, WHOLE, SERIES)


def test_a_first_label_of_0_is_a_label(tmp_path):
    """Files without a header must not lose their first row."""
    bare = COUNTED.partition("\n")[2]
    assert pair(tmp_path, bare, "0\n1\n") == [[[0.5, -1.0, 2.25], [1.5, 0.0, -3.0]], [[0], [1]]]


@pytest.mark.parametrize(
    ("header", "remedy"),
    [
        ("cat,dog,Label", "--drop Label"),
        ("id,cat,dog", "--drop id"),
        ("cat,dog,pred", "--drop pred"),
        ("Id,cat,PRED", "--drop Id,PRED"),
        ("cat,,dog", "--drop 1:2"),
        ("cat,dog,image_id", "--drop image_id"),
        ("index,cat,dog", "--drop index"),
        ('cat,dog,"y, pred"', ""),
        ('a,b,"pred "', "--drop pred"),
    ],
)
def test_a_column_that_is_no_class_is_refused(tmp_path, header, remedy):
    """The number of the row, as a logit, would be certified."""
    path = tmp_path / "z.csv"
    path.write_text(f"{header}\n0,1.5,2.5\n1,0.5,3.5\n")
    if not remedy:
        assert open_array(str(path)).shape == (2, 3)
        return
    with pytest.raises(InputError) as caught:
        open_array(str(path))
    assert caught.value.details["hint"] == remedy


@pytest.mark.parametrize("header", [",cat,dog", ",0,1", "Unnamed: 0,cat,dog", "Unnamed: 0.1,cat,dog"])
def test_the_index_of_pandas_is_left_out_and_said_so(tmp_path, header):
    """to_csv() writes it unless it is told not to, and nobody means it as a class."""
    path = tmp_path / "z.csv"
    path.write_text(f"{header}\n0,1.5,2.5\n1,0.5,3.5\n")
    array = open_array(str(path))
    assert array.values.tolist() == [[1.5, 2.5], [0.5, 3.5]]
    assert "index" in array.table.notes[0]


def test_the_column_of_the_labels_may_have_any_name(tmp_path):
    """What is asked for by name is no class among the others."""
    path = tmp_path / "table.csv"
    path.write_text("cat,dog,id\n1.5,2.5,1\n")
    assert open_pair(str(path), "id")[0].values.tolist() == [[1.5, 2.5]]
