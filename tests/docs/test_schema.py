"""The schema of the JSON that the manual publishes: made from the records, never written by hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from json_schema import fits
from process import AGREES, SAMPLES, xent_here
from record_schema import schema_of
from report_factory import REPORTS

from xentcli.docs import pages
from xentcli.records.comparison import Comparison
from xentcli.records.report import SCHEMA_VERSION, Report
from xentcli.render.json import render
from xentcli.render.page import Page

SCHEMA, OF_COMPARISON = (pages.FOLDER / f"{name}.json" for name in pages.SCHEMAS)
TITLE = "The report of a cross-entropy, as `xent compute --json` prints it"
TITLE_OF_COMPARISON = "Sets of logits against a base, as `xent compare --json` prints it"
LEFT_OUT = {
    "Report": (
        "cast",
        "expectation",
        "part",
        "settings",
        "row_sums",
        "row_claims",
        "metrics",
        "pictures",
        "worst",
        "byte_claim",
        "grouped",
        "groups",
    ),
    "ArrayInfo": ("shards", "notes", "crc32"),
    "Input": ("class_names", "head", "bias"),
    "WorstLoss": ("classes", "sum"),
    "Statistic": ("se", "group_se", "interval", "interval90", "p", "percentiles"),
}  # where there is nothing to say
OF_PAIRS = {"Comparison": ("part", "settings"), "ArrayInfo": LEFT_OUT["ArrayInfo"]}
DIGITS = (str(SAMPLES / "digits" / "logits.npy"), str(SAMPLES / "digits" / "labels.npy"))
SCORES = (str(SAMPLES / "soft" / "targets.csv"), str(SAMPLES / "soft" / "targets.csv"))
RUNS = {
    "usual": ["compute", *AGREES],
    "every row": ["compute", *AGREES, "--reduction", "none"],
    "without a reference": ["compute", *AGREES, "--reference", "off"],
    "a false claim": ["compute", *AGREES, "--expect", "11.99"],
    "given probabilities": ["compute", *SCORES, "--input", "probabilities"],
    "claims about rows": ["compute", *AGREES, "--reduction", "none", "--expect-row", "0=2", "--expect-row", "1=3.25"],
    "metrics": ["compute", *AGREES, "--metrics"],
    "a cast": ["compute", *AGREES, "--dtype", "bfloat16"],
    "a share": ["compute", *AGREES, "--shard", "1/2", "--partial", "part.json"],
    "generated": ["random", "--samples", "3", "--classes", "2", "--seed", "1"],
}


def optional(record: dict[str, Any], names: tuple[str, ...]) -> None:
    """These members are there with something in them, or not there."""
    record["required"] = [name for name in record["required"] if name not in names]
    for name in names:
        (record["properties"][name],) = (way for way in record["properties"][name]["oneOf"] if way != {"type": "null"})


def made(record: type = Report, title: str = TITLE) -> str:
    schema = schema_of(record, title, {"schema_version": {"const": SCHEMA_VERSION}})
    schema["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    schema["required"] = list(dict.fromkeys(schema["required"]))
    for name, names in (LEFT_OUT if record is Report else OF_PAIRS).items():
        optional(schema if name == record.__name__ else schema["$defs"][name], names)
    del schema["$defs"]["ExactSum"]
    for each in (schema, *schema["$defs"].values()):
        if each.get("additionalProperties") is False:
            del each["additionalProperties"]  # a later version may say more under the same schema
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def published(place: Any = SCHEMA) -> dict[str, Any]:
    return json.loads(place.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("place", "record", "title"), [(SCHEMA, Report, TITLE), (OF_COMPARISON, Comparison, TITLE_OF_COMPARISON)]
)
def test_the_schema_is_that_of_the_records(place: Any, record: type, title: str) -> None:
    """A program that relies on it breaks where the records went another way; `XENT_UPDATE_README=1` mends it."""
    if os.environ.get("XENT_UPDATE_README"):
        place.write_text(made(record, title))
    assert place.read_text(encoding="utf-8") == made(record, title)


@pytest.mark.parametrize("arguments", RUNS.values(), ids=RUNS)
def test_what_is_printed_fits(arguments: list[str], tmp_path: Path) -> None:
    """A reader validates what the program prints."""
    ended = xent_here(*arguments, "--json", cwd=tmp_path)
    assert fits(json.loads(ended.out), published(), published()), ended.err


@pytest.mark.parametrize("name", REPORTS)
def test_rare_reports_fit(name: str) -> None:
    """What no sample shows, such as endless losses and files in shards."""
    content = json.loads("".join(render(REPORTS[name](), Page(80, color=False))))
    assert fits(content, published(), published())


def test_what_does_not_fit_is_noticed(tmp_path: Path) -> None:
    """The tests above would notice a member that is missing, and one of another type."""
    content = json.loads(xent_here("compute", *AGREES, "--json", cwd=tmp_path).out)
    for broken in (content | {"verdict": "maybe"}, {**content, "losses": {}}, {"schema_version": SCHEMA_VERSION}):
        assert not fits(broken, published(), published())


LLAMA = Path(__file__).parent.parent / "comparing" / "llama" / "q4_0-509"
LABELS = ("--labels", DIGITS[1])
COMPARISONS = {
    "two others": [DIGITS[0], str(SAMPLES / "digits" / "int8.npy"), str(SAMPLES / "digits" / "int4.npy"), *LABELS],
    "without labels": [DIGITS[0], str(SAMPLES / "digits" / "int8.npy"), "--max-kl", "1"],
    "itself": [DIGITS[0], DIGITS[0], *LABELS],
    "claims": [DIGITS[0], str(SAMPLES / "digits" / "int8.npy"), "--expect-kl", "0.123", "--expect", "kl-max=7.00"],
    "a base in 16 bits": [str(LLAMA / "base.kld"), str(LLAMA / "other.npy"), "--dialect", "llama.cpp"],
}


@pytest.mark.parametrize("arguments", COMPARISONS.values(), ids=COMPARISONS)
def test_what_a_comparison_prints_fits(arguments: list[str], tmp_path: Path) -> None:
    """A reader of comparisons validates what the program prints, and would notice what is missing."""
    ended = xent_here("compare", *arguments, "--json", cwd=tmp_path)
    content, schema = json.loads(ended.out), published(OF_COMPARISON)
    assert fits(content, schema, schema), ended.err
    for broken in (content | {"verdict": "maybe"}, content | {"comparisons": [{}]}):
        assert not fits(broken, schema, schema)
