"""The tables that people have, each written by the program that makes it, and asked for as its owner would at first."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Asked = tuple[str, ...]  # what follows `xent compute`
    Make = Callable[[Path], Asked]

NAMES = ["cat", "dog", "bird"]
RNG = np.random.default_rng(7)
LOGITS = np.round(RNG.standard_normal((40, 3)) * 3, 6)
LABELS = RNG.integers(0, 3, 40)
WORDS = [NAMES[label] for label in LABELS]
IDS = [f"img-{row:03}.png" for row in RNG.permutation(40)]
SEPARATE = ("z.csv", "y.csv")


def logits(names: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(LOGITS, columns=names)


def beside(**columns: Any) -> pd.DataFrame:
    """Logits with other columns."""
    return logits(NAMES).assign(**columns)


def whole(folder: Path, name: str = "y.csv") -> None:
    """Labels as the plainest of files."""
    np.savetxt(folder / name, LABELS, fmt="%d")


def written(text: str | bytes, labels: str | bytes | None = None, *more: str, names: Asked = SEPARATE) -> Make:
    """Files of these contents."""

    def make(folder: Path) -> Asked:
        for name, content in zip(names, (text, labels), strict=False):
            if content is None:
                whole(folder)
            else:
                (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return (*names, *more)

    return make


def both(write: Callable[[Path], Any], *asked: str) -> Make:
    """One file that holds logits and labels."""

    def make(folder: Path) -> Asked:
        write(folder)
        return asked

    return make


def with_labels(write: Callable[[Path], Any], *asked: str) -> Make:
    """A file of the logits beside the plainest one of labels."""

    def make(folder: Path) -> Asked:
        write(folder)
        whole(folder)
        return (asked[0], "y.csv", *asked[1:])

    return make


def rows_of(delimiter: str = ",", number: Callable[[float], str] = repr, end: str = "\n", last: str = "") -> str:
    return "".join(delimiter.join(map(number, row)) + last + end for row in LOGITS.tolist())


def comma(value: float) -> str:
    return repr(value).replace(".", ",")


def quoted(value: Any) -> str:
    return f'"{value}"'


def r_table(*, delimiter: str, header: list[str], number: Callable[[float], str] = repr, names: bool = True) -> str:
    """What R's write.table writes: names in quotes, and the rows' own names before each."""
    lines = [delimiter.join(map(quoted, header))]
    for row, values in enumerate(LOGITS.tolist(), 1):
        lines.append(delimiter.join([quoted(row)] * names + [number(value) for value in values]))
    return "\n".join(lines) + "\n"


def column(values: Any, header: str = "") -> str:
    return "".join(f"{value}\n" for value in ([header] if header else []) + list(values))


def duck(query: str) -> None:
    with duckdb.connect() as connection:
        connection.register("frame", beside(label=LABELS))
        connection.register("ids", beside(label=LABELS, id=np.arange(40)))
        connection.register("z", logits(NAMES))
        connection.execute(query)


def to_duck(name: str, source: str, form: str) -> Callable[[Path], None]:
    return lambda folder: duck(f"COPY {source} TO '{folder / name}' ({form})")


def arrow(folder: Path, frame: Any) -> None:
    pyarrow.feather.write_feather(pa.table(frame), folder / "t.feather")


LISTED = pd.DataFrame({"logits": LOGITS.tolist(), "label": LABELS})
SHUFFLED = np.random.default_rng(3).permutation(40)
RANKED = pd.DataFrame({"id": IDS, "label": LABELS})
POLARS = pl.DataFrame(dict(zip(NAMES, LOGITS.T, strict=True)))

KINDS: dict[str, Make] = {
    # pandas, CSV
    "pandas: DataFrame(z).to_csv()": with_labels(lambda f: logits().to_csv(f / "z.csv"), "z.csv"),
    "pandas: DataFrame(z).to_csv(index=False)": with_labels(
        lambda f: logits().to_csv(f / "z.csv", index=False), "z.csv"
    ),
    "pandas: names, to_csv()": with_labels(lambda f: logits(NAMES).to_csv(f / "z.csv"), "z.csv"),
    "pandas: names, to_csv(index=False)": with_labels(
        lambda f: logits(NAMES).to_csv(f / "z.csv", index=False), "z.csv"
    ),
    "pandas: tabs": with_labels(lambda f: logits(NAMES).to_csv(f / "z.tsv", sep="\t"), "z.tsv"),
    "pandas: everything quoted": with_labels(
        lambda f: logits(NAMES).to_csv(f / "z.csv", index=False, quoting=csv.QUOTE_ALL), "z.csv"
    ),
    "pandas: counting, everything quoted": with_labels(
        lambda f: logits().to_csv(f / "z.csv", index=False, quoting=csv.QUOTE_ALL), "z.csv"
    ),
    "pandas: written twice": with_labels(
        lambda f: pd.read_csv(io.StringIO(logits(NAMES).to_csv())).to_csv(f / "z.csv", index=False), "z.csv"
    ),
    "pandas: written three times": with_labels(
        lambda f: pd.read_csv(io.StringIO(pd.read_csv(io.StringIO(logits(NAMES).to_csv())).to_csv())).to_csv(
            f / "z.csv"
        ),
        "z.csv",
    ),
    "pandas: decimal=',' sep=';'": with_labels(
        lambda f: logits(NAMES).to_csv(f / "z.csv", sep=";", decimal=",", index=False), "z.csv"
    ),
    "pandas: a column of lists": both(lambda f: LISTED.to_csv(f / "t.csv", index=False), "t.csv"),
    "pandas: a column of lists, with the index": both(lambda f: LISTED.to_csv(f / "t.csv"), "t.csv"),
    "pandas: a column of lists of numpy's numbers": both(
        lambda f: pd.DataFrame({"logits": [list(row) for row in LOGITS], "label": LABELS}).to_csv(f / "t.csv"), "t.csv"
    ),
    "pandas: a label column": both(lambda f: beside(label=LABELS).to_csv(f / "t.csv", index=False), "t.csv"),
    "pandas: a label column, named": both(
        lambda f: beside(Label=LABELS).to_csv(f / "t.csv"), "t.csv", "--label-column", "label"
    ),
    "pandas: id, label, pred and more": both(
        lambda f: beside(id=range(40), label=LABELS, pred=LOGITS.argmax(1), epoch=3).to_csv(f / "t.csv", index=False),
        "t.csv",
        "--label-column",
        "label",
    ),
    "pandas: id, label, pred, without a word": both(
        lambda f: beside(id=range(40), label=LABELS, pred=LOGITS.argmax(1)).to_csv(f / "t.csv", index=False), "t.csv"
    ),
    "pandas: text ids": with_labels(lambda f: beside(file=IDS).to_csv(f / "z.csv", index=False), "z.csv"),
    "pandas: whole numbers of another name": with_labels(
        lambda f: beside(foo=RNG.integers(0, 9, 40)).to_csv(f / "z.csv", index=False), "z.csv"
    ),
    "pandas: a column that counts": with_labels(
        lambda f: beside(foo=np.arange(40) * 10.0 + 100).to_csv(f / "z.csv", index=False), "z.csv"
    ),
    "pandas: named unlike the others": with_labels(
        lambda f: (
            logits(["logit_0", "logit_1", "logit_2"]).assign(margin=LOGITS.max(1)).to_csv(f / "z.csv", index=False)
        ),
        "z.csv",
    ),
    "pandas: columns by a pattern": with_labels(
        lambda f: logits(["logit_0", "logit_1", "logit_2"]).assign(id=range(40)).to_csv(f / "z.csv", index=False),
        "z.csv",
        "--columns",
        "logit_*",
    ),
    "pandas: columns by a slice": with_labels(lambda f: logits(NAMES).to_csv(f / "z.csv"), "z.csv", "--columns", "1:4"),
    "pandas: columns by names": with_labels(
        lambda f: beside(id=range(40)).to_csv(f / "z.csv"), "z.csv", "--columns", "cat,DOG,bird"
    ),
    "pandas: columns by a wrong name": with_labels(
        lambda f: beside(id=range(40)).to_csv(f / "z.csv"), "z.csv", "--columns", "cat,dog,brid"
    ),
    # pandas, labels
    "pandas: Series(y).to_csv()": both(
        lambda f: (logits().to_csv(f / "z.csv"), pd.Series(LABELS).to_csv(f / "y.csv")), *SEPARATE
    ),
    "pandas: Series(y).to_csv(index=False)": both(
        lambda f: (logits().to_csv(f / "z.csv", index=False), pd.Series(LABELS).to_csv(f / "y.csv", index=False)),
        *SEPARATE,
    ),
    "pandas: ids and labels": both(
        lambda f: (logits(NAMES).to_csv(f / "z.csv"), RANKED.to_csv(f / "y.csv", index=False)), *SEPARATE
    ),
    "pandas: ids and labels of another name": both(
        lambda f: (logits(NAMES).to_csv(f / "z.csv"), RANKED.rename(columns={"label": "Kind"}).to_csv(f / "y.csv")),
        *SEPARATE,
    ),
    "pandas: ids in both": both(
        lambda f: (beside(id=IDS).to_csv(f / "z.csv"), RANKED.to_csv(f / "y.csv", index=False)), *SEPARATE
    ),
    "pandas: ids in both, in another order": both(
        lambda f: (beside(id=IDS).to_csv(f / "z.csv"), RANKED.iloc[SHUFFLED].to_csv(f / "y.csv", index=False)),
        *SEPARATE,
        "--drop",
        "id",
    ),
    "pandas: an index in another order": both(
        lambda f: (
            logits(NAMES).set_index(pd.Index(SHUFFLED)).to_csv(f / "z.csv"),
            pd.Series(LABELS[np.argsort(SHUFFLED)], name="label").iloc[::-1].to_csv(f / "y.csv"),
        ),
        *SEPARATE,
    ),
    "pandas: labels as names": both(
        lambda f: (logits(NAMES).to_csv(f / "z.csv"), pd.Series(WORDS, name="label").to_csv(f / "y.csv")), *SEPARATE
    ),
    "pandas: labels as names, without a header": both(
        lambda f: (logits(NAMES).to_csv(f / "z.csv"), pd.Series(WORDS).to_csv(f / "y.csv", index=False, header=False)),
        *SEPARATE,
    ),
    "pandas: labels as names, of no header": both(
        lambda f: (logits().to_csv(f / "z.csv"), pd.Series(WORDS).to_csv(f / "y.csv", index=False)),
        *SEPARATE,
        "--classes",
        "cat,dog,bird",
    ),
    "pandas: labels as names, classes in a file": both(
        lambda f: (
            logits().to_csv(f / "z.csv"),
            pd.Series(WORDS).to_csv(f / "y.csv"),
            (f / "names").write_text("cat\ndog\nbird\n"),
        ),
        *SEPARATE,
        "--classes",
        "names",
    ),
    "pandas: labels as names in the table": both(
        lambda f: beside(label=WORDS).to_csv(f / "t.csv", index=False), "t.csv", "--label-column", "label"
    ),
    # pandas, Parquet and JSON
    "pandas: to_parquet()": with_labels(lambda f: logits(NAMES).to_parquet(f / "z.parquet"), "z.parquet"),
    "pandas: to_parquet(index=True)": with_labels(
        lambda f: logits(NAMES).iloc[np.arange(40)].to_parquet(f / "z.parquet", index=True), "z.parquet"
    ),
    "pandas: to_parquet() of a named index": with_labels(
        lambda f: beside(sample=IDS).set_index("sample").to_parquet(f / "z.parquet"), "z.parquet"
    ),
    "pandas: to_parquet(), counting names": with_labels(
        lambda f: logits(list("012")).to_parquet(f / "z.parquet"), "z.parquet"
    ),
    "pandas: Parquet with all": both(
        lambda f: beside(id=IDS, label=LABELS, pred=LOGITS.argmax(1), foo=LABELS * 2).to_parquet(f / "t.parquet"),
        "t.parquet",
    ),
    "pandas: Parquet with names for labels": both(
        lambda f: beside(label=pd.Categorical(WORDS)).to_parquet(f / "t.parquet"),
        "t.parquet",
        "--label-column",
        "LABEL",
    ),
    "pandas: Parquet of lists": both(lambda f: LISTED.to_parquet(f / "t.parquet"), "t.parquet"),
    "pandas: Parquet of lists beside ids": both(
        lambda f: LISTED.rename(columns={"logits": "output"}).assign(id=IDS).to_parquet(f / "t.parquet"), "t.parquet"
    ),
    "pandas: labels in Parquet beside ids": both(
        lambda f: (logits(NAMES).to_csv(f / "z.csv"), RANKED.to_parquet(f / "y.parquet")), "z.csv", "y.parquet"
    ),
    "pandas: to_feather()": with_labels(lambda f: logits(NAMES).to_feather(f / "z.feather"), "z.feather"),
    "pandas: Feather with all": both(
        lambda f: beside(id=np.arange(40), label=LABELS).to_feather(f / "t.feather"),
        "t.feather",
        "--label-column",
        "label",
    ),
    "pandas: to_json()": with_labels(lambda f: logits(NAMES).to_json(f / "z.json", double_precision=15), "z.json"),
    "pandas: to_json() of counting names": with_labels(
        lambda f: logits().to_json(f / "z.json", double_precision=15), "z.json"
    ),
    **{
        f"pandas: to_json(orient={orient!r})": with_labels(
            lambda f, orient=orient: logits(NAMES).to_json(f / "z.json", orient=orient, double_precision=15), "z.json"
        )
        for orient in ("records", "split", "columns", "index", "values", "table")
    },
    "pandas: to_json(lines=True)": both(
        lambda f: beside(label=LABELS).to_json(f / "t.jsonl", orient="records", lines=True, double_precision=15),
        "t.jsonl",
    ),
    "pandas: to_json of records, indented": both(
        lambda f: beside(label=WORDS).to_json(f / "t.json", orient="records", indent=2, double_precision=15), "t.json"
    ),
    "pandas: Series.to_json()": both(
        lambda f: (logits(NAMES).to_json(f / "z.json", double_precision=15), pd.Series(LABELS).to_json(f / "y.json")),
        "z.json",
        "y.json",
    ),
    # polars, DuckDB and Arrow
    "polars: write_csv": with_labels(lambda f: POLARS.write_csv(f / "z.csv"), "z.csv"),
    "polars: write_parquet": with_labels(lambda f: POLARS.write_parquet(f / "z.parquet"), "z.parquet"),
    "polars: write_ipc": both(
        lambda f: POLARS.with_columns(id=pl.Series(IDS), label=pl.Series(WORDS)).write_ipc(f / "t.arrow"), "t.arrow"
    ),
    "polars: write_ndjson": both(
        lambda f: POLARS.with_columns(label=pl.Series(LABELS)).write_ndjson(f / "t.ndjson"), "t.ndjson"
    ),
    "polars: write_json": both(
        lambda f: POLARS.with_row_index().with_columns(label=pl.Series(LABELS)).write_json(f / "t.json"), "t.json"
    ),
    "polars: lists in Parquet": both(
        lambda f: pl.DataFrame({"logits": LOGITS.tolist(), "label": LABELS}).write_parquet(f / "t.parquet"), "t.parquet"
    ),
    "DuckDB: CSV": both(to_duck("t.csv", "frame", "HEADER"), "t.csv"),
    "DuckDB: CSV with tabs": both(
        to_duck("t.csv", "frame", "HEADER, DELIMITER '\t'"), "t.csv", "--label-column", "label"
    ),
    "DuckDB: CSV of lists": both(
        to_duck("t.csv", "(SELECT [cat, dog, bird] AS logits, label FROM frame)", "HEADER"), "t.csv"
    ),
    "DuckDB: Parquet": both(to_duck("t.parquet", "ids", "FORMAT parquet"), "t.parquet"),
    "DuckDB: JSON": both(to_duck("t.json", "ids", "FORMAT json"), "t.json"),
    "DuckDB: JSON array": both(to_duck("t.json", "ids", "FORMAT json, ARRAY true"), "t.json"),
    "pyarrow: Feather": both(
        lambda f: arrow(f, beside(id=np.arange(40), label=LABELS)),
        "t.feather",
        "--label-column",
        "label",
        "--drop",
        "id",
    ),
    # R
    "R: write.csv": written(
        r_table(delimiter=",", header=["", *NAMES]),
        '"","x"\n' + "".join(f'"{row}",{label}\n' for row, label in enumerate(LABELS, 1)),
    ),
    "R: write.csv(row.names = FALSE)": written(r_table(delimiter=",", header=NAMES, names=False)),
    "R: write.table": written(
        r_table(delimiter=" ", header=NAMES), '"x"\n' + column(f'"{r}" {y}' for r, y in enumerate(LABELS, 1))
    ),
    "R: write.table(sep = tab)": written(r_table(delimiter="\t", header=["V1", "V2", "V3"])),
    "R: write.table(quote = FALSE)": written(r_table(delimiter=" ", header=NAMES).replace('"', "")),
    "R: write.csv2": written(r_table(delimiter=";", header=["", *NAMES], number=comma)),
    "R: write.table(dec = comma)": written(r_table(delimiter=" ", header=NAMES, number=comma)),
    # Excel
    "Excel: CSV of a decimal comma": written("cat;dog;bird\r\n" + rows_of(";", comma, "\r\n"), column(LABELS)),
    "Excel: the same without a header": written(rows_of(";", comma, "\r\n")),
    "Excel: the same with a mark": written(("cat;dog;bird\r\n" + rows_of(";", comma, "\r\n")).encode("utf-8-sig")),
    "Excel: sep=;": written("sep=;\r\ncat;dog;bird\r\n" + rows_of(";", comma, "\r\n")),
    "Excel: sep=; without a header": written("sep=;\r\n" + rows_of(";", repr, "\r\n")),
    "Excel: Unicode text": written(("cat\tdog\tbird\r\n" + rows_of("\t", repr, "\r\n")).encode("utf-16")),
    "Excel: a decimal comma between quotes": written("cat,dog,bird\n" + rows_of(",", lambda x: quoted(comma(x)))),
    "Excel: tabs and a decimal comma": written(rows_of("\t", comma)),
    "Excel: some numbers are whole": written("1,25;3;-2,5\n" * 2 + rows_of(";", comma), column([0, 0, *LABELS])),
    "a trailing comma": written(rows_of(last=",")),
    "a trailing comma below a header": written("cat,dog,bird\n" + rows_of(last=",")),
    "a trailing comma everywhere": written("cat,dog,bird,\n" + rows_of(last=",")),
    "blank lines at the end": written(rows_of() + "\n\n  \n"),
    "ids before labels, without a header": written(
        rows_of(), column(f"{500 + row},{label}" for row, label in zip(SHUFFLED, LABELS, strict=True))
    ),
    "counts before labels, without a header": written(
        rows_of(), column(f"{row},{label}" for row, label in enumerate(LABELS))
    ),
    "labels on one line": written(rows_of(), ",".join(map(str, LABELS)) + "\n"),
    "labels on one line, by blanks": written(rows_of(), " ".join(map(str, LABELS)) + "\n"),
    "labels of a JSON list": written(rows_of(), json.dumps(LABELS.tolist())),
    "labels in quotes": written(rows_of(number=quoted), column(map(quoted, LABELS), "label")),
}


def loss(z: Any = LOGITS, y: Any = LABELS) -> float:
    """By numpy alone."""
    top = z.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(z - top).sum(1)) + top[:, 0] - z[np.arange(len(z)), y]))
