"""The pages of real runs: every number on one is in its JSON, and each kind of record has a page and three lines."""

from __future__ import annotations

import json
import zlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from llama_pairs import folder
from page_numbers import known, unfounded
from page_reader import Element, embedded, parsed
from process import AGREES, DIFFERS, SAMPLES, xent_here

import xentcli
from xentcli.records.showing import Shown
from xentcli.render.html.notebook import MODULES
from xentcli.render.html.write import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIGITS = (str(SAMPLES / "digits" / "logits.npy"), str(SAMPLES / "digits" / "labels.npy"))
OTHERS = ("int8", "int4", "floor")
INT4 = ("compare", DIGITS[0], str(SAMPLES / "digits" / "int4.npy"), "--labels", DIGITS[1])
RUNS = {
    "compute": ("compute", *DIGITS),
    "false claim": ("compute", *AGREES, "--expect", "11.99"),
    "underflow": ("compute", *DIFFERS),
    "every row": ("compute", *DIGITS, "--reduction", "none"),
    "sum in bfloat16": ("compute", *DIGITS, "--reduction", "sum", "--dtype", "bfloat16"),
    "shares": ("compute", str(SAMPLES / "soft" / "logits.csv"), str(SAMPLES / "soft" / "targets.csv")),
    "no reference": ("compute", *AGREES, "--reference", "off"),
    "random": ("random", "--samples", "300", "--classes", "5", "--seed", "1"),
    "explain": ("explain", *DIGITS, "--row", "38"),
    "explain a sure one": ("explain", *DIGITS, "--row", "2"),
    "compare": (*INT4, "--max-kl", "1"),
    "compare beside a floor": (*INT4, "--floor", "bfloat16", "--by", "class", "--group", "9", "--expect-kl", "0.0016"),
    "compare several": ("compare", DIGITS[0], *(str(SAMPLES / "digits" / f"{name}.npy") for name in OTHERS),
                        "--labels", DIGITS[1], "--equivalence", "0.003"),
    "compare with itself": ("compare", DIGITS[0], DIGITS[0], "--labels", DIGITS[1]),
    "compare 16 bits": ("compare", str(folder("q4_0-509") / "base.kld"), str(folder("q4_0-509") / "other.npy"),
                        "--group", "47", "--by", "position", "--dialect", "llama.cpp"),
}  # fmt: skip


@cache
def page_of(name: str) -> str:
    ended = xent_here(*RUNS[name], "-f", "html", cwd=SAMPLES)
    assert ended.code in {0, 1}, ended.err
    return ended.out


def shown(root: Element) -> Iterator[str]:
    """What the page says with numbers: cells, large figures, and the lines of the hardest rows."""
    for element in root.all("td", "dd", "summary"):
        yield element.text
    for element in root.of_class("figure"):
        yield element.text


@pytest.mark.parametrize("name", RUNS)
def test_every_number_on_the_page_is_in_its_json(name: str) -> None:
    """A reader quotes from the page what no script finds in the report."""
    content = embedded(page_of(name))
    assert len(page_of(name).encode()) <= LARGEST
    among = known(content)
    for said in shown(parsed(page_of(name))):
        assert not unfounded(said, among), said


def test_the_page_of_a_run_holds_what_its_json_does(tmp_path: Path) -> None:
    """One run writes two files that say different things."""
    ended = xent_here("compute", *DIGITS, "--report", "html=page.html", "--report", "json=report.json", cwd=tmp_path)
    assert ended.code == 0
    content = json.loads((tmp_path / "report.json").read_text())
    assert embedded((tmp_path / "page.html").read_text(encoding="utf-8")) == content


def test_a_page_says_of_which_bytes_it_is(tmp_path: Path) -> None:
    """Two files by one name cannot be told apart in last month's report."""
    for array, path in zip(("logits", "labels"), DIGITS, strict=True):
        expected = f"{zlib.crc32(np.load(path).tobytes()):08x}"
        assert embedded(page_of("compute"))["input"][array]["crc32"] == expected
        assert expected in parsed(page_of("compute")).text
    ended = xent_here("compute", *DIGITS, "--block-bytes", "4K", "-f", "html", cwd=tmp_path)
    assert ended.out == page_of("compute")
    assert "crc32" not in xent_here("compute", *DIGITS, "--json", cwd=tmp_path).out


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("compute", ["How the losses lie", "Calibration", "Loss by class", "Confused classes", "Hardest rows"]),
        ("false claim", ["What was noticed"]),
        (
            "compare",
            [
                "What was read",
                "What was noticed",
                "How far apart",
                "Right and wrong",
                "Agreement",
                "Difference against confidence",
                "Rows with the greatest KL",
                "More numbers",
            ],
        ),
        ("compare several", ["Beside each other", "The same, drawn", "int8.npy", "floor.npy: How far apart"]),
        ("explain", ["The loss, in nats", "The steps"]),
    ],
)
def test_the_sections_that_a_page_is_opened_for(name: str, titles: list[str]) -> None:
    """A page without its pictures looks like one of a run that had nothing to draw."""
    found = [each.text for each in parsed(page_of(name)).all("h2")]
    assert set(titles) <= set(found)


def test_the_hardest_rows_unfold_to_their_steps() -> None:
    """A row is said to be hard, and not why."""
    rows = [each for each in parsed(page_of("compute")).of_class("unfold") if "Row " in each.text]
    worst = embedded(page_of("compute"))["worst"]
    assert len(rows) == len(worst) == 10
    for row, record in zip(rows, worst, strict=True):
        assert row.all("summary")[0].text.startswith(f"Row {record['row']}:")
        assert len(row.all("tr")) == 1 + len(record["classes"])
        assert f"--row {record['row']}" in row.all("dd")[-1].text


def test_pictures_are_drawn_where_their_numbers_are() -> None:
    """A bar of the wrong height says another thing than the table below it."""
    root = parsed(page_of("compute"))
    (histogram,) = [each for each in root.all("figure") if "share of the loss" in each.text]
    bins = embedded(page_of("compute"))["pictures"]["histogram"]["bins"]
    bars = [each for each in histogram.all("rect") if each.attributes["class"] == "full"]
    heights = np.array([float(bar.attributes["height"]) for bar in bars])
    rows = np.array([each["rows"] for each in bins])
    np.testing.assert_allclose(heights / heights.max(), rows / rows.max(), atol=1e-3)
    below = [float(each.attributes["height"]) for each in histogram.all("rect") if each.attributes["class"] == "hollow"]
    shares = np.array([each["share"] for each in bins])
    np.testing.assert_allclose(np.array(below) / max(below), shares / shares.max(), atol=1e-3)


def three_lines(record: object) -> None:
    lines = repr(record).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("xent ")
    assert all(len(line) < 300 for line in lines)


def test_a_notebook_shows_a_report() -> None:
    """A cell that ends in a report prints a dataclass of pages' length."""
    report = xentcli.compute(*DIGITS, metrics=True, by="class")
    three_lines(report)
    assert repr(report).splitlines()[2] == report.summary
    made = report._repr_html_()
    assert {"Calibration", "Loss by class"} <= {each.text for each in parsed(made).all("h2")}
    comparison = xentcli.compare(DIGITS[0], str(SAMPLES / "digits" / "int8.npy"), DIGITS[1])
    three_lines(comparison)
    assert parsed(comparison._repr_html_()).all("table")


def test_every_record_that_shows_itself_has_a_page() -> None:
    """A notebook shows nothing but an error of ours."""
    assert set(MODULES) == set(Shown.__subclasses__())


def test_an_explanation_goes_to_several_files(tmp_path: Path) -> None:
    """The page of a row costs a second run, or half of one is left behind."""
    reports = ("--report", "html=row.html", "--report", "json=row.json", "-o", "row.txt")
    assert xent_here("explain", *DIGITS, "--row", "3", *reports, cwd=tmp_path).code == 0
    content = json.loads((tmp_path / "row.json").read_text())
    assert embedded((tmp_path / "row.html").read_text(encoding="utf-8")) == content
    assert "The steps" in (tmp_path / "row.txt").read_text(encoding="utf-8")
    ended = xent_here("explain", *DIGITS, "--row", "3", "--report", "csv=row.csv", cwd=tmp_path)
    assert ended.code == 2
    assert "html" in ended.err


def test_a_merged_report_has_a_page(tmp_path: Path) -> None:
    """The report of a cluster's run can be shown to nobody."""
    for share in ("1", "2"):
        part = ("--shard", f"{share}/2", "--partial", f"{share}.json", "-qq")
        assert xent_here("compute", *DIGITS, *part, cwd=tmp_path).code == 0
    ended = xent_here("merge", "1.json", "2.json", "-f", "html", cwd=tmp_path)
    assert ended.code == 0
    assert embedded(ended.out)["command"] == "merge"


def test_a_battery_has_a_page(tmp_path: Path) -> None:
    """The author of a kernel has nothing to show."""
    ended = xent_here("conform", "torch.nn.functional:cross_entropy", "--only", "smoke", "-f", "html", cwd=tmp_path)
    assert ended.code == 0
    assert embedded(ended.out)["command"] == "conform"
    assert "Families, case by case" in {each.text for each in parsed(ended.out).all("h2")}
