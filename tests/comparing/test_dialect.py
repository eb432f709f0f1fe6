"""llama-perplexity's 34 lines: every printed digit, and that one wrong step would be noticed."""

from __future__ import annotations

import ast
import inspect
import itertools
import math
import struct
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from llama_pairs import PAIRS, every_pair, expected, folder, sides

from xentcli.comparing import llamacpp
from xentcli.comparing.dialect import block, dialect
from xentcli.comparing.llamacpp import joined, lines, measured, printed, rounded_exp
from xentcli.errors import InputError
from xentcli.sources.open import open_array, open_pair


def rows_of(pair: str) -> llamacpp.Rows:
    base, other, labels = sides(pair)
    return measured(base.blur.stored(0, len(labels)), other.values, labels)


@every_pair
def test_the_lines_are_the_tools_to_the_last_digit(pair):
    """Who replaces the tool in a script sees no line change."""
    found = dialect(*sides(pair))
    wanted = expected(pair)
    assert [line.name for line in found.lines] == [line["line"] for line in wanted]
    assert [line.label.strip() for line in found.lines] == [line["label"] for line in wanted]
    assert [(line.printed, line.printed_pm) for line in found.lines] == [
        (line["printed"], line["printed_pm"]) for line in wanted
    ]
    for line, want in zip(found.lines, wanted, strict=True):
        assert line.value == pytest.approx(want["float32"], rel=1e-13), line.name
        if want["float32_pm"] is not None:
            assert line.pm == pytest.approx(want["float32_pm"], rel=1e-9), line.name
        else:
            assert line.pm is None or math.isnan(line.pm)
    assert printed(found.lines).encode() == (folder(pair) / "log.txt").read_bytes()


@pytest.mark.parametrize("pair", PAIRS)
def test_blocks_of_rows_change_nothing(pair, monkeypatch):
    """A number that depends on how much memory there was cannot be compared with anything."""
    base, other, labels = sides(pair)
    whole = rows_of(pair)
    monkeypatch.setattr(llamacpp, "TILE", 1500)
    cuts = [0, 1, 8, 100, len(labels)]
    parts = joined(block(base, other, labels, *cut).rows for cut in itertools.pairwise(cuts))
    for name in ("nll_other", "nll_base", "kld", "delta_p", "same_top"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name))
    assert lines(parts) == lines(whole) or pair == "self-512"  # NaN is not equal to itself
    assert printed(lines(parts)) == printed(lines(whole))


def test_below_a_hundred_rows_nothing_is_printed():
    """The tool prints no statistics of 99 rows, and a reader of its log must find none."""
    base, other, labels = sides("self-512")
    assert lines(block(base, other, labels, 0, 99).rows) == ()
    assert printed(()) == ""
    assert block(base, other, labels, 0, 99).statement == ""
    assert len(lines(block(base, other, labels, 0, 100).rows)) == 34


WRONG = {
    "no cut": ("CUT = np.float32(-16)", "CUT = np.float32(-99)"),
    "cut at 15": ("CUT = np.float32(-16)", "CUT = np.float32(-15)"),
    "the divergence's exact form": (
        "terms = rounded_exp(stored) * ((stored - logits) + shift)",
        "terms = rounded_exp(stored) * (np.expm1(logits - shift - stored) - (logits - shift - stored))",
    ),
    "the divergence in float64": (
        "terms = rounded_exp(stored) * ((stored - logits) + shift)",
        "terms = np.exp(stored.astype('f8')) * ((stored.astype('f8') - logits) + shift)",
    ),
    "the base's own log-sum": ("-log_base, kld", "-log_base + np.log(np.exp(stored).sum(axis=1)), kld"),
    "the greatest without the log-sum": ("+ np.log(total).astype(np.float32)", "+ 0 * np.float32(total)"),
    "log-sum in float64": ("np.log(total).astype(np.float32)", "np.log(total)"),
    "log-probabilities for probabilities": ("rounded_exp(-nll_other) - rounded_exp(log_base)", "log_base + nll_other"),
    "relative difference of p": (
        "rounded_exp(-nll_other) - rounded_exp(log_base)",
        "rounded_exp(-nll_other) / rounded_exp(log_base) - 1",
    ),
    "base minus other": (
        "rounded_exp(-nll_other) - rounded_exp(log_base)",
        "rounded_exp(log_base) - rounded_exp(-nll_other)",
    ),
    "n for n - 1": ("sqrt(bracket / (count - 1))", "sqrt(bracket / count)"),
    "n for n - 1 in the covariance": ("mean_q * mean_p) / (count - 1)", "mean_q * mean_p) / count"),
    "n for n - 1 in a share": ("share * (1 - share) / (count - 1)", "share * (1 - share) / count"),
    "squares in float64": ("_sum(q), _sum(q * q), count", "_sum(q), _sum(q.astype('f8') ** 2), count"),
    "products in float64": ("_sum(q * p)", "_sum(q.astype('f8') * p)"),
    "mean of perplexities": ("_exp(mean_q), _exp(mean_p),", "_sum(np.exp(q)) / count, _sum(np.exp(p)) / count,"),
    "ratio of logs": ("_exp(mean_q - mean_p)", "_exp(mean_q) / _exp(mean_p) - 1"),
    "independent errors": ("error_p * error_p - 2 * covariance", "error_p * error_p"),
    "root of nothing is nothing": ('else float("nan")', "else 0.0"),
    "percentile below": ("share = position - np.float32(below)", "share = np.float32(0)"),
    "percentile of n": ("np.float32(len(ordered) - 1)", "np.float32(len(ordered))"),
    "upper median": ("if len(ordered) % 2 else HALF", "if True else HALF"),
    "mean of absolute differences": ("_sum(delta), _sum(square)", "_sum(abs(delta)), _sum(square)"),
    "error of the mean square": ("(_quotient(0.5, root) * error_square)", "error_square"),
}


def wrong(name: str) -> dict:
    source, (old, new) = inspect.getsource(llamacpp), WRONG[name]
    assert source.count(old) >= 1, f"{name}: the step is not there any more"
    namespace: dict = {"__name__": llamacpp.__name__}
    exec(compile(ast.parse(source.replace(old, new)), "wrong", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_step_is_noticed(name):
    """A test that passes with another formula would hold no one to the tool's."""
    module, is_noticed = wrong(name), False
    for pair in PAIRS:
        base, other, labels = sides(pair)
        with np.errstate(all="ignore"):
            found = module["lines"](module["measured"](base.blur.stored(0, len(labels)), other.values, labels))
        is_noticed |= any(
            line.printed != want["printed"]
            or line.printed_pm != want["printed_pm"]
            or abs(line.value - want["float32"]) > 1e-13 * abs(want["float32"])
            for line, want in zip(found, expected(pair), strict=True)
        )
    assert is_noticed


def test_the_first_of_equal_logits_is_the_top():
    """Ties at the top decide the share of the same top, and the tool takes the first."""
    base, _, labels = sides("self-512")
    stored = base.blur.stored(0, 4)
    top = stored.steps.argmax(axis=1)
    logits = stored.logs.copy()
    logits[[0, 1], [511, 511]] = logits[[0, 1], top[:2]]  # tied with a later class
    logits[[2, 3], [0, 0]] = logits[[2, 3], top[2:]]  # and with an earlier one
    assert measured(stored, logits, labels[:4]).same_top.tolist() == [True, True, False, False]


def test_every_exponential_is_the_nearest_float32():
    """A neighbour of the nearest float32 moves digits that only the tool's own computation explains."""
    generator = np.random.default_rng(7)
    powers = np.concatenate([-40 * generator.random(3000), -104 * generator.random(500), [0.0, -0.0, -200.0]])
    powers = powers.astype(np.float32)
    with mpmath.workdps(60):
        for power, found in zip(powers.tolist(), rounded_exp(powers).tolist(), strict=True):
            true = mpmath.exp(power)
            near = [float(np.nextafter(np.float32(found), np.float32(end))) for end in (-1, 2)]
            assert all(abs(found - true) <= abs(each - true) for each in near), power


def test_an_exponential_near_the_middle_is_decided_by_its_true_value(monkeypatch):
    """A float64 exp that errs by a unit must not decide a rounding: in a wide doubt the decimals decide."""
    powers = (-20 * np.random.default_rng(8).random(400)).astype(np.float32)
    right = rounded_exp(powers)
    monkeypatch.setattr(llamacpp, "EXP_ERROR", 2.0**-25)
    doubted = rounded_exp(powers)
    assert np.array_equal(doubted, right)
    wide = np.exp(powers.astype(np.float64))
    doubt = (wide * (1 - 2.0**-25)).astype(np.float32) != (wide * (1 + 2.0**-25)).astype(np.float32)
    assert doubt.sum() > 50


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_gives_no_number_is_named(bad):
    """NaN sorts anywhere, so that every percentile would be a guess."""
    base, other, labels = sides("self-512")
    logits = other.values.copy()
    logits[17, 3] = bad
    with pytest.raises(InputError, match="no numbers") as raised:
        measured(base.blur.stored(10, 248), logits[10:], labels[10:], 10)
    assert "row 17" in str(raised.value)


def test_a_class_of_probability_nothing_makes_the_divergence_infinite():
    """As the tool prints it: inf, and no error of it."""
    base, other, labels = sides("self-512")
    logits = other.values.copy()
    logits[17, base.blur.stored(17, 18).steps[0].argmax()] = -np.inf
    found = {line.name: line for line in lines(measured(base.blur.stored(0, 248), logits, labels))}
    assert (found["kld_mean"].printed, found["kld_mean"].printed_pm, found["kld_max"].printed) == (
        "inf", "0.000000", "inf",
    )  # fmt: skip


def test_two_base_files_are_compared_without_a_model(tmp_path):
    """Both sides in 16 bits: the lines are those of the log-probabilities that the second file holds."""
    base, _, labels = sides("q4_0-509")
    raw = bytearray((folder("q4_0-509") / "base.kld").read_bytes())
    start = 20 + 4 * 96 * 11
    for row in np.arange(0, 517, 3):  # another file of the same tokens
        raw[start + 1028 * row : start + 1028 * row + 4] = struct.pack("<f", 2.0e-4)
    (tmp_path / "second.kld").write_bytes(raw)
    second = open_array(str(tmp_path / "second.kld"))
    found = dialect(base, second, labels)
    assert printed(found.lines) == printed(lines(measured(base.blur.stored(0, 517), second.values, labels)))
    assert [line.printed for line in dialect(base, base, labels).lines if line.name == "same_top"] == ["100.000"]
    low, high = found.intervals["ppl_other"]
    assert low < {line.name: line.value for line in found.lines}["ppl_other"] < high or math.isinf(high)


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [(8, 48, "not the same rows|cut off|goes on"), (20 + 4 * 100, 7, "chunk 1, position 4")],
)
def test_other_tokens_are_refused_by_name(tmp_path, at, value, says):
    """Losses of other tokens are no pairs, and the tool would go on."""
    base, _, labels = sides("q4_0-509")
    raw = bytearray((folder("q4_0-509") / "base.kld").read_bytes())
    raw[at : at + 4] = struct.pack("<i", value)
    (tmp_path / "second.kld").write_bytes(raw)
    with pytest.raises(InputError) as raised:
        dialect(base, open_array(str(tmp_path / "second.kld")), labels)
    assert any(part in str(raised.value) for part in says.split("|"))


def test_chunks_that_are_cut_otherwise_are_refused_by_name(tmp_path):
    """Two files can have as many rows and not the same chunks: 2 of 4 tokens, or 1 of 5 less a row."""
    from format_files import kld

    rows = np.zeros((2, 3), np.float32)
    (tmp_path / "one.kld").write_bytes(kld([(np.arange(5) % 3, rows)]))  # n_ctx 5: 2 rows
    (tmp_path / "two.kld").write_bytes(kld([(np.arange(3), rows[:1]), (np.arange(3), rows[:1])]))  # n_ctx 3: 1 row
    base, labels = open_pair(str(tmp_path / "one.kld"))
    with pytest.raises(InputError) as raised:
        dialect(base, open_array(str(tmp_path / "two.kld")), labels.values)
    assert "n_ctx 3, n_vocab 3, n_chunk 2" in str(raised.value)


def test_what_is_no_base_file_is_refused():
    """The tool's lines are of 16 bits, and of nothing else."""
    base, other, labels = sides("self-512")
    with pytest.raises(InputError, match="base file"):
        dialect(other, other, labels)
    with pytest.raises(InputError, match="out of range"):
        dialect(base, other, np.where(labels == labels[5], 512, labels))
    with pytest.raises(InputError, match="float32"):
        dialect(base, replace(other, kind=np.dtype("f8"), dtype="float64"), labels)
    with pytest.raises(InputError, match="same rows"):
        dialect(base, other.without_first(), labels)
