"""What 16 bits and the cut moved: the statistics of the logits before lie between the ends, and the ends are near."""

from __future__ import annotations

import json
import math

import format_files as files
import mpmath
import numpy as np
import pytest
from llama_pairs import every_pair, expected, folder, sides

from xentcli.comparing import sixteen
from xentcli.comparing.dialect import dialect
from xentcli.comparing.sixteen import ends, intervals
from xentcli.sources.open import open_pair


@every_pair
def test_the_statistics_without_the_cut_lie_between_the_ends(pair):
    """One statistic outside its interval, and none of them is worth printing."""
    found = dialect(*sides(pair)).intervals
    wanted = {line["line"]: line["no_cut"] for line in expected(pair)}
    assert set(found) == set(wanted) - {"correlation"}
    for name, (low, high) in found.items():
        if wanted[name] is not None:
            assert low <= wanted[name] <= high, name


@every_pair
def test_with_the_logits_before_the_ends_are_the_number(pair):
    """Where the float32 logits are there, nothing is left open but float64's rounding."""
    if not (folder(pair) / "base.npy").exists():
        pytest.skip("this pair has no logits before the 16 bits")
    _, other, labels = sides(pair)
    found = intervals(ends(np.load(folder(pair) / "base.npy"), other.values, labels))
    for line in expected(pair):
        if line["no_cut"] is not None and line["line"] != "correlation":
            low, high = found[line["line"]]
            assert low <= line["no_cut"] <= high, line["line"]
            assert high - low <= 1e-8 * (1 + abs(line["no_cut"])), line["line"]


@pytest.mark.parametrize(("pair", "width"), [("self-512", 2e-6), ("q4_0-509", 1e-4)])
def test_the_ends_are_tight(pair, width):
    """An interval that holds everything tells nothing."""
    found = dialect(*sides(pair)).intervals
    assert found["kld_mean"][1] - found["kld_mean"][0] < width
    assert found["dp_mean"][1] - found["dp_mean"][0] < 0.003
    assert found["same_top"][1] - found["same_top"][0] < 1e-9


def test_a_label_under_the_floor_leaves_the_losses_open_at_one_end():
    """One row of 517 moves the base's perplexity by 0.8 %, and the tool says no word."""
    found = dialect(*sides("q4_0-509"))
    about = json.loads((folder("q4_0-509") / "expected.json").read_text())["about"]
    assert len(found.ends.under_floor) == about["labels_clipped_at_the_floor"] == 1
    assert found.intervals["ppl_base"][1] == math.inf
    assert found.intervals["mean_ln_ratio"][0] == -math.inf
    assert found.statement == (
        "16-bit base: log p more than 16 under the top is not stored; moves the mean KLD by at most 0.000033; "
        "1 label is under the floor"
    )


@pytest.mark.parametrize(
    ("interval", "labels", "says"),
    [
        ((1.0, 2.0), 0, "by at most 1; no label is under"),
        ((0.98765, 1.0), 2, "by at most 0.013; 2 labels are under"),
        ((0.0, math.inf), 1, "by an unknown amount; 1 label is under"),
    ],
)
def test_the_statement_never_says_less_than_it_is(interval, labels, says):
    """ "At most" that was rounded down would be a wrong claim."""
    from xentcli.comparing.llamacpp import Line

    assert says in sixteen.statement(Line("kld_mean", "", 1.0, None, "", 6), interval, labels)


def true_statistics(x: np.ndarray, y: np.ndarray, label: int) -> dict[str, mpmath.mpf]:
    """Of one row, in 60 digits, by the textbook's sum."""
    with mpmath.workdps(60):
        logs = [[mpmath.mpf(float(value)) for value in row] for row in (x, y)]
        sums = [mpmath.log(mpmath.fsum(mpmath.exp(value) for value in row)) for row in logs]
        p, q = ([value - total for value in row] for row, total in zip(logs, sums, strict=True))
        kld = mpmath.fsum(mpmath.exp(one) * (one - two) for one, two in zip(p, q, strict=True))
        return {
            "nll_base": -p[label],
            "nll_other": -q[label],
            "kld": max(kld, mpmath.mpf(0)),  # the 60 digits leave 1e-59 of rows that are equal but for a constant
            "delta_p": mpmath.exp(q[label]) - mpmath.exp(p[label]),
            "same_top": int(x.argmax() == y.argmax()),
        }


FAMILIES = {
    "equal": lambda g, x: x.copy(),
    "one step apart": lambda g, x: (x + 2.4e-4 * g.standard_normal(x.shape)).astype(np.float32),
    "near": lambda g, x: (x + 0.01 * g.standard_normal(x.shape)).astype(np.float32),
    "far": lambda g, x: (x + 3 * g.standard_normal(x.shape)).astype(np.float32),
    "another": lambda g, x: (5 * g.standard_normal(x.shape)).astype(np.float32),
    "shifted": lambda g, x: (x + np.float32(300)).astype(np.float32),
    "colder": lambda g, x: (x * np.float32(1.5)).astype(np.float32),
    "reversed": lambda g, x: x[:, ::-1].copy(),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("scale", [1e-4, 1.0, 6.0, 30.0])
@pytest.mark.parametrize("offset", [0.0, -300.0])
def test_the_rows_before_lie_between_the_ends(tmp_path, name, scale, offset):
    """Against 60 digits: rows that were cut and rows that were not, on one side or on both."""
    generator = np.random.default_rng(len(name) + int(scale))
    x = (scale * generator.standard_normal((6, 23)) + offset).astype(np.float32)
    x[1, 4] = x[1].max()  # tied before, too
    y = FAMILIES[name](generator, x)
    tokens = np.r_[np.zeros(7, int), generator.integers(0, 23, 6)]  # n_ctx 13: 6 rows
    for file, logits in (("x.kld", x), ("y.kld", y)):
        (tmp_path / file).write_bytes(files.kld([(tokens, logits)]))
    (base, labels), (second, _) = (open_pair(str(tmp_path / file)) for file in ("x.kld", "y.kld"))
    stored, theirs = base.blur.stored(0, 6), second.blur.stored(0, 6)
    truths = [true_statistics(*row) for row in zip(x, y, labels.values, strict=True)]
    for one in (stored, x):
        for two in (theirs, y):
            found = ends(one, two, labels.values)
            for row, truth in enumerate(truths):
                for statistic, value in truth.items():
                    low, high = getattr(found, statistic)[:, row]
                    assert low <= value <= high, (statistic, row)
                    if one is x and two is y:
                        assert high - low <= 1e-9 * (1 + abs(value)), statistic


def test_ends_that_forget_half_a_step_would_be_noticed(tmp_path):
    """The proofs above fail for the stored number alone."""
    base, other, labels = sides("self-512")
    stored = base.blur.stored(0, 248)
    found = ends(stored.logs, other.values, labels)
    outside = [
        line["line"]
        for line in expected("self-512")
        if line["no_cut"] is not None
        and line["line"] in intervals(found)
        and not intervals(found)[line["line"]][0] <= line["no_cut"] <= intervals(found)[line["line"]][1]
    ]
    assert {"ppl_base", "mean_ln_ratio", "kld_mean", "dp_mean"} <= set(outside)


def test_a_class_that_the_other_file_cut_leaves_the_divergence_open():
    """It may have had any probability down to nothing."""
    base, _, labels = sides("q4_0-509")
    low, high = dialect(base, base, labels).intervals["kld_mean"]
    assert (low, high) == (0.0, math.inf)


def test_a_masked_class_has_no_term_or_an_infinite_one():
    """-inf on both sides is no difference; on the other side alone it is an infinite one."""
    x = np.array([[0.0, 1.0, -np.inf]], np.float32)
    y = np.array([[0.0, 1.5, -np.inf]], np.float32)
    z = np.array([[0.0, -np.inf, 2.0]], np.float32)
    labels = np.array([0])
    low, high = ends(x, y, labels).kld[:, 0]
    assert low <= float(true_statistics(x[0, :2], y[0, :2], 0)["kld"]) <= high < low + 1e-9
    assert ends(x, z, labels).kld[:, 0].tolist() == [math.inf, math.inf]
