"""Every kind of page in a real browser: what it asks for, what can be read of it, and by whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from checks import CHECKS, MEASURES, faults
from driven import View
from process import AGREES, DIFFERS, SAMPLES, xent_here

from xentcli.render.html.write import LARGEST

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

LLAMA = Path(__file__).parents[1] / "comparing" / "llama" / "self-512"
DIGITS = (str(SAMPLES / "digits" / "logits.npy"), str(SAMPLES / "digits" / "labels.npy"))
OTHERS = tuple(str(SAMPLES / "digits" / f"{name}.npy") for name in ("int8", "int4"))
TORCH = "torch.nn.functional:cross_entropy"
EVERYDAY = {
    "compute": ("compute", *DIGITS),
    "a false claim": ("compute", *AGREES, "--expect", "11.99"),
    "underflow": ("compute", *DIFFERS, "--expect", "3.0"),
    "a sequence": ("compute", "text.npy", "tokens.npy", "--class-axis", "-1", "--shift"),
    "explain": ("explain", *DIGITS, "--row", "38"),
    "two others": ("compare", DIGITS[0], *OTHERS, "--labels", DIGITS[1], "--max-kl", "1e-4"),
    "conform": ("conform", "wrong.py:loss", "--only", "offsets"),
}
MORE = {
    "shares": ("compute", str(SAMPLES / "soft" / "logits.csv"), str(SAMPLES / "soft" / "targets.csv")),
    "smoothed": ("compute", *DIGITS, "--label-smoothing", "0.1", "--reduction", "sum", "--dtype", "bfloat16"),
    "every row": ("compute", *DIGITS, "--reduction", "none"),
    "random": ("random", "--samples", "300", "--classes", "5", "--seed", "1"),
    "merge": ("merge", "1.json", "2.json"),
    "a sure row": ("explain", *DIGITS, "--row", "2"),
    "one other": ("compare", DIGITS[0], OTHERS[0], "--labels", DIGITS[1]),
    "two models": ("compare", str(LLAMA / "base.kld"), str(LLAMA / "other.npy")),
    "two gigabytes": ("compute", "large.npy", "large_labels.npy"),
    "torch conforms": ("conform", TORCH),
}
EVERY_PAGE = [*EVERYDAY, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)]
WRONG = """
def loss(logits, target, reduction="mean"):
    exponentials = logits.exp()
    losses = -(exponentials / exponentials.sum(1, keepdim=True)).gather(1, target[:, None])[:, 0].log()
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()
"""


def text(folder: Path) -> None:
    """The logits of a language model, [batch, time, vocabulary], and the tokens that it read."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 50, (6, 24))
    logits = rng.normal(size=(6, 24, 50)).astype(np.float32)
    logits[:, :-1][np.arange(6)[:, None], np.arange(23), tokens[:, 1:]] += 3.0
    np.save(folder / "text.npy", logits)
    np.save(folder / "tokens.npy", tokens)


def kernel(folder: Path) -> None:
    """The textbook's loss, which overflows."""
    (folder / "wrong.py").write_text(WRONG)


def shares(folder: Path) -> None:
    """Two shares of a run."""
    for share in ("1", "2"):
        part = ("--shard", f"{share}/2", "--partial", f"{share}.json", "-qq")
        assert xent_here("compute", *DIGITS, *part, cwd=folder).code == 0


def large(folder: Path) -> None:
    """Logits of 2.1 GB, written a piece at a time."""
    rng, rows, classes = np.random.default_rng(0), 16384, 32000
    logits = np.lib.format.open_memmap(folder / "large.npy", "w+", np.float32, (rows, classes))
    for start in range(0, rows, 1024):
        logits[start : start + 1024] = rng.standard_normal((1024, classes), np.float32)
    np.save(folder / "large_labels.npy", rng.integers(0, classes, rows))


MADE = {"a sequence": text, "conform": kernel, "merge": shares, "two gigabytes": large}


def page_of(name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The page in a file, and the whole JSON of the same run, of which a page may have a part."""
    if name in MADE:
        MADE[name](folder)
    reports = ("--report", "html=page.html", "--report", "json=report.json")
    ended = xent_here(*(EVERYDAY | MORE)[name], *reports, cwd=folder)
    for path in folder.glob("large*"):
        path.unlink()
    assert ended.code in {0, 1}, ended.err
    assert (folder / "page.html").stat().st_size <= LARGEST
    return folder / "page.html", json.loads((folder / "report.json").read_text())


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_a_page_stands_in_a_browser(name: str, driver: Chrome, tmp_path: Path) -> None:
    """Somebody opens the report on a phone, by night, by ear, without a mouse or on paper, and cannot read it."""
    path, content = page_of(name, tmp_path)
    assert faults(View.of(driver, path), content) == {}


SPOILED = """<!doctype html><title>spoiled</title><style>.xent { --good: #060; --bad: #900; --open: #750; }</style>
<main class="xent"><h1>17.25 nats</h1><h3>A level is missing</h3><p style="color: #999">grey</p>
<p style="font-size: 4px">fine print</p><i style="color: #900"></i><p style="width: 90rem">wide</p>
<svg width="9" height="9"><rect width="9" height="9" fill="#eee"/></svg><table><tr><td>cell</td></tr></table>
<details><summary tabindex="-1">out of reach</summary>more</details>
<p style="break-after: page">one</p><p style="break-after: page">two</p><p>three</p>
<img src="http://127.0.0.1:9/picture.png" alt="">
</main><script>console.error("broken")</script>
"""


def test_every_check_notices_what_it_is_for(driver: Chrome, tmp_path: Path) -> None:
    """A check that passes any page lets everything above through."""
    path = tmp_path / "spoiled.html"
    path.write_text(SPOILED, encoding="utf-8")
    found = faults(View.of(driver, path), {"loss": 17.5})
    assert found.keys() == {*CHECKS, "numbers"}
    told = " ".join(each for problems in found.values() for each in problems)
    assert all(measure in told for measure in MEASURES)
    expected = ("17.25", "grey", "3 sheets", "from 1 to 3", "svg in the page", "TABLE in the page", "broken")
    assert not [each for each in expected if each not in told]
