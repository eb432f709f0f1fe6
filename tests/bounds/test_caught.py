"""The page's table of what is caught: each number is that of the bounds themselves."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
from families import store

from xentcli.bounds.library import library_bound
from xentcli.bounds.model import LossForm, PathModel
from xentcli.bounds.probable import probable_rows, probable_total
from xentcli.losses.reference import enclose
from xentcli.numbers.precision import PRECISIONS

ROWS = 1000
HEAD = "| format | classes | a row, proven | a row, probable | a mean of 1,000, proven | a mean of 1,000, probable |"


def line(precision, classes: int) -> str:
    """Errors from which on a loss of ordinary logits, N(0, 9), is caught."""
    rng = np.random.default_rng(0)
    count = max(40, min(ROWS, 2_000_000 // classes))
    logits = store(rng.normal(0, 3, (count, classes)), precision)
    rows, shape = enclose(logits, rng.integers(0, classes, count)), PathModel(precision, height="lanes")
    allowed = library_bound(shape, rows, LossForm()).allowed
    likely = probable_rows("library", shape, rows, LossForm(), logits=logits, values=2 * ROWS)
    mean, greatest = float(allowed.mean()), float(allowed.max()) / ROWS
    total = None if precision.is_half else probable_total(mean, greatest, 0.0)
    numbers = (np.median(allowed), None if likely is None else np.median(likely), mean, total)
    cells = " | ".join("" if number is None else f"{number:.0e}" for number in numbers)
    return f"| {precision.name} | {classes:,} | {cells} |"


def test_the_page_says_what_is_caught() -> None:
    """Whoever chooses a dtype for a check reads off what it can see."""
    table = [HEAD, "|---|---|---|---|---|---|"]
    table += [line(precision, classes) for precision in PRECISIONS.values() for classes in (2, 10, 1000, 50_257)]
    page = (files("xentcli") / "docs" / "numerics.md").read_text(encoding="utf-8")
    assert "\n".join(table) in page, "\n".join(table)
