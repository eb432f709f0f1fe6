"""What a table's columns are is said, told by their names, or by what they hold; never guessed."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xentcli
from xentcli.errors import InputError, UsageError, XentError
from xentcli.sources.headings import odd_ones
from xentcli.sources.open import open_array, open_pair
from xentcli.sources.pairs import open_inputs
from xentcli.sources.tabular import Tabular, joined

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(11)
LOGITS = np.round(RNG.standard_normal((8, 3)), 4)
LABELS = [0, 2, 1, 1, 0, 2, 2, 0]
WHOLE = RNG.integers(-9, 9, (30, 4))


def text(rows: object, header: str = "", delimiter: str = ",") -> str:
    lines = [delimiter.join(map(str, row)) for row in (rows.tolist() if isinstance(rows, np.ndarray) else rows)]
    return "\n".join([header] * bool(header) + lines) + "\n"


def saved(folder: Path, content: str | bytes, name: str = "z.csv") -> str:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder / name)


def hint(path: str, **options: str) -> str:
    with pytest.raises(XentError) as caught:
        open_array(path, table=Tabular.of(**options))
    return caught.value.details["hint"]


FINE = {
    "whole logits": text(WHOLE),
    "whole logits in columns that count": text(np.arange(12).reshape(4, 3)),
    "one row": "2,0.5,1\n",
    "few rows typed by hand": "2,0.5,-1\n1,1.5,0\n",
    "three rows typed by hand": "1,0.5\n2,1.5\n3,2.5\n",
    "whole by chance among fractions, as %g writes them": "1,0.5\n2,1\n2,2.5\n0,0.25\n5,1\n",
    "a class that no sample has": text([[0.0, z, 1.5 * z] for z in RNG.standard_normal(40).tolist()]),
    "a class that is masked": text([["-inf", z, z / 3] for z in RNG.standard_normal(40).tolist()]),
    "names of a vocabulary": text(LOGITS, "<pad>,the,ing"),
    "positions as names": text(LOGITS, "0,1,2"),
    "numbers as names": text(LOGITS, "3,7,9"),
    "names that are a class's": text(LOGITS, "batches,losses,idea"),
    "one name of a kind": text(LOGITS, "road,class_2,background"),
    "equal columns": text([[z, z, z] for z in RNG.standard_normal(40).tolist()]),
}


@pytest.mark.parametrize("name", FINE)
def test_logits_are_not_refused(name: str, tmp_path: Path) -> None:
    """A refusal of a right file costs its owner as much as a fault."""
    assert open_array(saved(tmp_path, FINE[name])).values.size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(hnp.arrays(np.int64, st.tuples(st.integers(1, 40), st.integers(2, 5)), elements=st.integers(-50, 50)))
def test_whole_numbers_alone_are_logits_unless_they_count(tmp_path: Path, values: np.ndarray) -> None:
    """Quantised logits are whole in every row."""
    steps = np.diff(values, axis=0)
    if len(values) >= 6 and (steps == 1).all(axis=0).any():
        return
    assert open_array(saved(tmp_path, text(values)), table=Tabular.of(decimal=".")).values.tolist() in (
        values.tolist(),
        values[1:].tolist(),
    )


ODD = {
    "counts": (text([[row, *LOGITS[row]] for row in range(8)], "foo,a,b,c"), "--drop foo"),
    "counts, without names": (text([[row, *LOGITS[row]] for row in range(8)]), "--drop 0"),
    "counts from 100 in tens": (text([[100 + 10 * row, *LOGITS[row]] for row in range(8)], "foo,a,b,c"), "--drop foo"),
    "whole among fractions": (text([[*LOGITS[row], LABELS[row]] for row in range(8)], "a,b,c,foo"), "--drop foo"),
    "a constant": (text([[*LOGITS[row], 3] for row in range(8)], "a,b,c,foo"), "--drop foo"),
    "even steps of fractions": (text([[0.1 * row, *LOGITS[row]] for row in range(8)], "foo,a,b,c"), "--drop foo"),
    "counts among whole logits": (text([[row, *WHOLE[row]] for row in range(30)], "foo,a,b,c,d"), "--drop foo"),
    "text": (text([[f"x{row}", *LOGITS[row]] for row in range(8)], "foo,a,b,c"), "--drop foo"),
    "text without a header": (text([[f"x{row}", *LOGITS[row]] for row in range(8)]), "--drop 0"),
    "a name unlike the others": (text(LOGITS, "logit_0,logit_1,margin"), "--drop margin"),
    "a name with a comma": (text([[*LOGITS[row], 3] for row in range(8)], 'a,b,c,"x, y"'), "--drop '\"x, y\"'"),
    "two of one name": (text([[*LOGITS[row], 3, 4] for row in range(8)], "a,b,c,d,d"), "--drop 3:4,4:5"),
    "all at once": (
        text([[row, *LOGITS[row], LABELS[row], 7] for row in range(8)], "id,a,b,c,foo,epoch"), "--drop id,foo,epoch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_class_is_refused_with_the_option_that_reads_the_rest(name: str, tmp_path: Path) -> None:
    """A column too many is another softmax in every row."""
    content, remedy = ODD[name]
    path = saved(tmp_path, content)
    found = hint(path)
    assert found == remedy
    table = Tabular.of(drop=found.removeprefix("--drop ").strip("'"))
    width = 4 if name == "counts among whole logits" else 3 if name != "a name unlike the others" else 2
    assert open_array(path, table=table).shape[1] == width


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1), min_size=1))
def test_names_that_a_hint_lists_are_read_back(names: list[str]) -> None:
    """A hint whose commas and quotes are read otherwise names other columns."""
    plain = [name.strip() for name in names if name.strip()]
    assert Tabular.of(columns=joined(plain)).columns == tuple(plain)


def test_columns_come_as_they_are_asked_for(tmp_path: Path) -> None:
    """The order of names is the order of classes; patterns and slices keep the file's."""
    path = saved(tmp_path, text(LOGITS, "logit_a,logit_b,other"))
    for asked, columns in [
        ("other,logit_a", [2, 0]), ("logit_*", [0, 1]), ("1:", [1, 2]), ("-1:,0:1", [2, 0]), ("LOGIT_B", [1]),
        ("logit_?,other", [0, 1, 2]), (":", [0, 1, 2]),
    ]:  # fmt: skip
        array = open_array(path, table=Tabular.of(columns=asked))
        np.testing.assert_array_equal(array.values, LOGITS[:, columns])
        assert array.table.names == tuple(["logit_a", "logit_b", "other"][column] for column in columns)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("logit_c", "no column has this name"),
        ("2:9", "not these columns"),
        ("x*", "no column's name matches"),
        ("logit_a,logit_*", "asked for twice"),
        ("2:1", "not these columns"),
    ],
)
def test_columns_that_are_not_there(asked: str, said: str, tmp_path: Path) -> None:
    """A slice that is cut short in silence has fewer classes than its owner thinks."""
    with pytest.raises(UsageError, match=said):
        open_array(saved(tmp_path, text(LOGITS, "logit_a,logit_b,other")), table=Tabular.of(columns=asked))


def test_a_header_of_each_shard_is_found(tmp_path: Path) -> None:
    """Series.to_csv() writes one into each file of labels."""
    for part in range(2):
        pd.DataFrame(LOGITS[4 * part :][:4]).to_csv(tmp_path / f"z{part}.csv", index=False)
        pd.Series(LABELS[4 * part :][:4]).to_csv(tmp_path / f"y{part}.csv", index=False)
    logits, labels = open_inputs(str(tmp_path / "z*.csv"), str(tmp_path / "y*.csv"), None)
    np.testing.assert_array_equal(logits.values, LOGITS)
    assert labels.values.reshape(-1).tolist() == LABELS
    assert "header" in labels.table.notes[0]
    assert labels.at((4, 0)).endswith("y1.csv, line 2, column 1")


def test_a_line_that_is_dropped_is_told(tmp_path: Path) -> None:
    """Labels that are one too many and begin with 0 may have lost another line than the first."""
    labels = open_inputs(saved(tmp_path, text(LOGITS)), saved(tmp_path, text([[0], *zip(LABELS)]), "y.csv"), None)[1]
    assert labels.values.reshape(-1).tolist() == LABELS
    assert labels.table.notes == (
        "its first line counts the columns, and is taken for a header, as the other file is one line shorter",
    )


def test_shards_in_another_order_of_columns(tmp_path: Path) -> None:
    """The same names in another order are other classes from one file on."""
    saved(tmp_path, text(LOGITS, "a,b,c"), "z0.csv")
    saved(tmp_path, text(LOGITS[:, ::-1], "c,b,a"), "z1.csv")
    labels = saved(tmp_path, text(list(zip(LABELS * 2))), "y.csv")
    with pytest.raises(InputError, match="order") as caught:
        open_inputs(str(tmp_path / "z*.csv"), labels, None)
    assert caught.value.details["hint"] == "--columns a,b,c"
    both = open_inputs(str(tmp_path / "z*.csv"), labels, None, table=Tabular.of(columns="a,b,c"))[0]
    np.testing.assert_array_equal(both.values, np.concatenate([LOGITS, LOGITS]))


IDS = ["b", "7", "a", "c", "9007199254740993", "d", "e", "f"]


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
def test_rows_are_put_in_order_by_their_ids(form: str, tmp_path: Path) -> None:
    """Labels in another order than the logits are other labels, in every format."""
    order = np.random.default_rng(2).permutation(8)
    z = saved(tmp_path, text([[i, *row] for i, row in zip(IDS, LOGITS, strict=False)], "ID,a,b,c"))
    frame = pd.DataFrame({"id": IDS, "label": LABELS}).iloc[order]
    y = tmp_path / f"y.{form}"
    {"csv": lambda: frame.to_csv(y, index=False), "parquet": lambda: frame.to_parquet(y),
     "json": lambda: frame.to_json(y, orient="records")}[form]()  # fmt: skip
    with pytest.raises(InputError, match="another order") as caught:
        open_inputs(z, str(y), None, table=Tabular.of(drop="id"))
    assert caught.value.details["hint"] == "--join id"
    _, labels = open_inputs(z, str(y), None, table=Tabular.of(join="id"))
    assert labels.values.reshape(-1).tolist() == LABELS


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([*"bzac", *IDS[4:]], "other rows by their 'id'"),
        ([*"baac", *IDS[4:]], "two rows have one id"),
        (IDS[:7], "other rows by their 'id'"),
    ],
)
def test_other_ids_are_refused(ids: list[str], said: str, tmp_path: Path) -> None:
    """A label of another sample is worse than none."""
    z = saved(tmp_path, text([[i, *row] for i, row in zip(IDS, LOGITS, strict=False)], "id,a,b,c"))
    y = saved(tmp_path, text(list(zip(ids, LABELS, strict=False)), "id,label"), "y.csv")
    with pytest.raises(InputError, match=said):
        open_inputs(z, y, None, table=Tabular.of(join="id"))


def test_an_index_that_nobody_gave_is_no_id(tmp_path: Path) -> None:
    """Labels of a shuffled split keep its index, and the logits beside them count from 0."""
    pd.DataFrame(LOGITS).to_csv(tmp_path / "z.csv")
    pd.Series(LABELS, index=np.random.default_rng(4).permutation(8)).to_csv(tmp_path / "y.csv")
    labels = open_inputs(str(tmp_path / "z.csv"), str(tmp_path / "y.csv"), None)[1]
    assert labels.values.reshape(-1).tolist() == LABELS


NAMED = text(LOGITS, "cat,Dog,bird")


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ("cat\ndog\nBIRD\n", None, [0, 1, 2]),
        ("label\nbird\ncat\nDog\n", None, [2, 0, 1]),
        ('"bird"\n"cat"\n"Dog"\n', None, [2, 0, 1]),
        ("id,label\nx,bird\ny,cat\nz,Dog\n", None, [2, 0, 1]),
        ("no\nyes\nno\n", "yes,no,maybe", [1, 0, 1]),
    ],
)
def test_labels_are_names_of_classes(labels: str, classes: str | None, expected: list[int], tmp_path: Path) -> None:
    """The header says which class each is, or the user does."""
    z = saved(tmp_path, "".join(NAMED.splitlines(keepends=True)[:4]))
    y = saved(tmp_path, labels, "y.csv")
    assert open_inputs(z, y, None, table=Tabular.of(classes=classes))[1].values.reshape(-1).tolist() == expected


def test_names_without_an_order_are_refused(tmp_path: Path) -> None:
    """In alphabetical order, or in that of the file, they would be other classes, and nobody would see it."""
    z, y = saved(tmp_path, text(LOGITS)), saved(tmp_path, "label\n" + "dog\ncat\n" * 4, "y.csv")
    with pytest.raises(UsageError, match="nothing says which class each is") as caught:
        open_inputs(z, y, None)
    assert "--classes" in caught.value.details["hint"]
    with pytest.raises(InputError, match="no class has this name") as other:
        open_inputs(z, y, None, table=Tabular.of(classes="dog,cta,bird"))
    assert "line 3" in other.value.details["at"]
    assert other.value.details["hint"] == "did you mean cta?"


@pytest.mark.parametrize(
    ("classes", "said"), [("a,b", "does not fit"), ("Dog,cat,bird", "another order"), ("a,b,a", "one name")]
)
def test_classes_that_do_not_fit(classes: str, said: str, tmp_path: Path) -> None:
    """A name too few, or in another place than the header's, is a report about other classes."""
    with pytest.raises(UsageError, match=said):
        open_inputs(saved(tmp_path, NAMED), saved(tmp_path, text(list(zip(LABELS))), "y.csv"), None,
                    table=Tabular.of(classes=classes))  # fmt: skip


def test_probabilities_in_another_order_of_columns(tmp_path: Path) -> None:
    """Each share would be another class's."""
    z, y = saved(tmp_path, NAMED), saved(tmp_path, text(np.full((8, 3), 0.25), "bird,cat,Dog"), "y.csv")
    with pytest.raises(UsageError, match="another order") as caught:
        open_inputs(z, y, None)
    assert caught.value.details["hint"] == "--columns bird,cat,Dog"
    assert open_inputs(z, y, None, table=Tabular.of(columns="bird,cat,Dog"))[0].values[0, 0] == LOGITS[0, 2]


MISSPELT = {
    "thousands": ('a,b\n"1,234.5",2.5\n1.5,2.5\n', "thousands"),
    "thousands with points": ("a;b\n1.234,5;2,5\n1,5;2,5\n", "thousands"),
    "thousands of whole numbers": ("1.5;2\n1,234,567;3\n", "thousands"),
    "commas that may be of either kind": ("1,234;5,678\n2,345;6,789\n", "--decimal ,"),
    "a comma in a later row": ("a;b\n1.5;2\n1,5;2\n", "--decimal ,"),
    "a point in a later row": ("a;b\n" + "1,5;2,5\n" * 99 + "1.5;2\n", "--decimal ."),
    "a column of decimal commas": ("loss\n1,5\n2,5\n", "--decimal ,"),
    "what numpy prints of an array": ('logits,label\n"[0.1 0.2]",1\n"[0.3 0.4]",0\n', "tolist"),
    "a list that is cut": ('logits,label\n"[0.1, 0.2]",1\n"[0.3, ...]",0\n', ""),
    "a later row with more than its trailing comma": ("1,2,\n3,4,\n" * 40 + "1,2,3\n", ""),
    "a quote without an end": ('a,b\n"1",2\n"1,2\n', ""),
    "a missing value in the last column": ("a,b,c\n1,2,\n3,4,\n", "nan"),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_what_may_be_another_number_is_refused(name: str, tmp_path: Path) -> None:
    """1,234 is read as 1.234 or as 1234, a thousand times as much."""
    content, remedy = MISSPELT[name]
    assert remedy in hint(saved(tmp_path, content))


def test_what_the_user_says_of_commas_holds(tmp_path: Path) -> None:
    """The one who wrote the file knows."""
    comma = open_array(saved(tmp_path, "1,234;5,678\n2,345;6,789\n"), table=Tabular.of(decimal=","))
    assert comma.values.tolist() == [[1.234, 5.678], [2.345, 6.789]]
    alone = open_array(saved(tmp_path, "loss\n1,5\n2,5\n"), table=Tabular.of(decimal=","))
    assert alone.values.tolist() == [[1.5], [2.5]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("last", ["", "\n\n  \n"])
def test_how_systems_write_text(end: str, encoding: str, last: str, tmp_path: Path) -> None:
    """Excel, PowerShell and old Macs."""
    content = text(LOGITS, "größe,b,c") + last
    mark = "\ufeff" if encoding in {"utf-16-le", "utf-16-be"} else ""
    array = open_array(saved(tmp_path, (mark + content.replace("\n", end)).encode(encoding)))
    np.testing.assert_array_equal(array.values, LOGITS)
    assert array.table.names[0] == "größe"


def test_a_list_of_records_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of a gigabyte on one line must not be in memory at once, and a record may end anywhere."""
    rows = [{"a, b": row[0], "é": row[1], 'c"': row[2]} for row in LOGITS.tolist()]
    for size in (1, 2, 3, 7, 64):
        monkeypatch.setattr("xentcli.sources.readers.json.PIECE_BYTES", size)
        path = saved(tmp_path, json.dumps(rows, ensure_ascii=False), "z.json")
        np.testing.assert_array_equal(open_array(path).values, LOGITS)


def test_both_faces_read_alike(tmp_path: Path) -> None:
    """Who calls from Python has the same options, and may list names."""
    path = saved(
        tmp_path, text([[7, *row, y] for row, y in zip(LOGITS, LABELS, strict=False)], "id,cat,dog,bird,label")
    )
    by_text = xentcli.compute(path, label_column="label", drop="id")
    by_list = xentcli.compute(path, label_column="LABEL", columns=["cat", "dog", "bird"])
    assert by_text.losses == by_list.losses
    assert by_text.input.class_names == ("cat", "dog", "bird")
    assert open_pair(path, "label", table=Tabular.of(drop="id"))[0].shape == (8, 3)


def test_ids_beside_labels_of_two_classes_are_no_probabilities(tmp_path: Path) -> None:
    """A file of (id, label) has the shape of the probabilities of two classes."""
    z = saved(tmp_path, text(LOGITS[:, :2]))
    y = saved(tmp_path, text([[7 + 3 * row, row % 2] for row in (5, 3, 0, 1, 7, 2, 6, 4)]), "y.csv")
    with pytest.raises(UsageError, match="one alone may hold the labels") as caught:
        open_inputs(z, y, None)
    assert caught.value.details["hint"] == "--label-column 1"
    assert open_inputs(z, y, None, column="1")[1].values.reshape(-1).tolist() == [1, 1, 0, 1, 1, 0, 0, 0]


def test_integers_of_any_length(tmp_path: Path) -> None:
    """As `float` has them; Python's own integers have no end, and its parser has one."""
    for form in ("z.jsonl", "z.json"):
        content = f"[1, -{'9' * 5000}, 3]"
        array = open_array(saved(tmp_path, content if form == "z.jsonl" else f"[{content}]", form))
        assert array.values.tolist() == [[1.0, -np.inf, 3.0]]


def test_names_unlike_the_others() -> None:
    """Few of many that count are named otherwise; where most are, there is nothing to be unlike."""
    assert odd_ones(["logit_0", "logit_1", "margin"]) == {2}
    assert odd_ones(["1", "2", "3", "conf"]) == {3}
    for fine in (["cat", "dog"], ["a1", "b2", "c"], ["x1", "y"], ["top1", "top5", "other"], []):
        assert odd_ones(fine) == set()


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize(
    "levels", [["logit", "logit", "logit"], ["x", "y", "z"], ["x", "x", "z"]], ids=["alike", "apart", "mixed"]
)
def test_two_lines_of_names_are_told_with_what_leaves_one(levels: list[str], index: bool, tmp_path: Path) -> None:
    """pandas writes columns of two levels so; the lower one was a number that is none, or twins."""
    columns = pd.MultiIndex.from_arrays([levels, ["cat", "dog", "cow"]])
    pd.DataFrame(LOGITS, columns=columns).to_csv(tmp_path / "two levels.csv", index=index)
    with pytest.raises(InputError, match="a second line of names") as caught:
        open_array(str(tmp_path / "two levels.csv"))
    command = caught.value.details["hint"].removesuffix(" leaves one of them")
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    np.testing.assert_array_equal(open_array(str(tmp_path / "named.csv")).read(0, 0, 8), LOGITS)


@pytest.mark.parametrize("missing", ["NA", "", "null"])
def test_a_first_row_of_missing_values_is_no_line_of_names(missing: str, tmp_path: Path) -> None:
    """It is told as what it is."""
    path = saved(tmp_path, text([[missing] * 3, *LOGITS.tolist()], "cat,dog,cow"))
    with pytest.raises(InputError, match="not a number"):
        open_array(path)
