"""What `llama-perplexity --kl-divergence` prints, digit for digit: its steps in float32 and double, and its formats.

The base's side of every line is the 16 bits of its file, and the divergence leaves out what is stored as -16 or less.
`sixteen` tells what this moved.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Context, Decimal
from math import exp, sqrt
from typing import TYPE_CHECKING

import numpy as np

from xentcli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xentcli.numbers.arrays import Values
    from xentcli.sources.readers.llamacpp import Sixteen

FEWEST_ROWS = 100  # below, the tool prints no statistics
FEWEST_SPREAD = 11  # rows that the tool tells an error of
CUT = np.float32(-16)  # a class's log-probability that is not above this is left out
TILE = 1 << 16  # logits that are worked on at once, so that their float64 stay in the processor's cache
EXP_ERROR = 2.0**-50  # relative; NumPy's float64 exp is off by less than 2^-51
ENOUGH = Context(prec=60)


@dataclass(frozen=True, eq=False)
class Rows:
    """The few numbers of each row that all lines are made of, each [rows]."""

    nll_other: Values  # float32
    nll_base: Values  # float32, of the 16 bits
    kld: Values  # float64
    delta_p: Values  # float32
    same_top: Values  # bool

    def __len__(self) -> int:
        return len(self.kld)


@dataclass(frozen=True)
class Line:
    """One statistic, as the tool's arithmetic has it; shares, Δp and correlation in percent."""

    name: str
    label: str
    value: float
    pm: float | None  # what stands after ±; NaN where the tool takes the root of less than nothing
    unit: str  # "%" or nothing
    decimals: int

    @property
    def printed(self) -> str:
        return number(self.value, self.decimals)

    @property
    def printed_pm(self) -> str | None:
        return None if self.pm is None else number(self.pm, self.decimals)


def number(value: float, decimals: int) -> str:
    """As C prints it; the NaN that x86 makes of an invalid operation has its sign set."""
    return "-nan" if value != value else f"{value:.{decimals}f}"  # noqa: PLR0124


def joined(parts: Iterable[Rows]) -> Rows:
    """The rows of blocks, in order."""
    columns = list(zip(*([getattr(part, field.name) for field in fields(Rows)] for part in parts), strict=True))
    return Rows(*(np.concatenate(column) for column in columns))


def measured(base: Sixteen, other: Values, labels: Values, first: int = 0) -> Rows:
    """The numbers of a block of rows.

    base    the rows of the base file
    other   the logits of the other side, float32 [rows, classes]; another base file's log-probabilities will do
    labels  [rows]
    first   the number of the block's first row, for messages

    Errors: InputError for a row of which one of its logits makes no number (NaN, or infinity at the top).
    """
    height = max(1, TILE // other.shape[1])
    with np.errstate(all="ignore"):
        rows = joined(_tile(base, other, labels, slice(at, at + height)) for at in range(0, len(other), height))
    is_number = np.isfinite(rows.nll_base) & ~np.isnan(rows.nll_other) & ~np.isnan(rows.kld)
    if not is_number.all():
        raise InputError(
            "llama-perplexity's statistics of this row are no numbers",
            at=f"row {first + int(np.argmin(is_number))}",
            found="NaN, or infinity as the greatest logit",
            expected="logits that are numbers",
            hint="xent explain numerics",
        )
    return rows


def _tile(base: Sixteen, other: Values, labels: Values, part: slice) -> Rows:
    chosen = labels[part, None]
    logits = other[part]
    stored = base.part(part).logs  # float32 [rows, classes]
    top_other, top_base = logits.argmax(axis=1), stored.argmax(axis=1)  # the first of equals
    greatest = np.take_along_axis(logits, top_other[:, None], axis=1)
    total = rounded_exp(logits - greatest).sum(axis=1, keepdims=True, dtype=np.float64)
    shift = greatest + np.log(total).astype(np.float32)
    nll_other = (shift - np.take_along_axis(logits, chosen, axis=1))[:, 0]
    log_base = np.take_along_axis(stored, chosen, axis=1)[:, 0]
    terms = rounded_exp(stored) * ((stored - logits) + shift)
    kld = np.where(stored > CUT, terms, np.float32(0)).sum(axis=1, dtype=np.float64)
    return Rows(nll_other, -log_base, kld, rounded_exp(-nll_other) - rounded_exp(log_base), top_other == top_base)


def rounded_exp(power: Values) -> Values:
    """exp of float32, correctly rounded to float32.

    The float64 exp is off by less than `EXP_ERROR`.  Where both ends of what that leaves are rounded to one float32,
    so is the true value; of the others, some in 10^8, decimals of 60 digits tell, as no exp of a float32 but exp(0)
    is a number of that few bits.
    """
    wide = np.exp(power.astype(np.float64))
    least, most = (wide * (1 - EXP_ERROR)).astype(np.float32), (wide * (1 + EXP_ERROR)).astype(np.float32)
    doubted = least < most  # never exp(0), of which both are 1
    for index in np.argwhere(doubted).tolist() if doubted.any() else ():
        place = tuple(index)
        least[place] = _nearest(float(power[place]), least[place], most[place])
    return least


def _nearest(power: float, least: np.float32, most: np.float32) -> np.float32:
    """Which of two neighbours exp(power) is nearer to."""
    middle = (Decimal(float(least)) + Decimal(float(most))) / 2
    return least if Decimal(power).exp(ENOUGH) < middle else most


def lines(rows: Rows) -> tuple[Line, ...]:
    """The 34 statistics in the order printed; none of fewer than 100 rows, as the tool."""
    if len(rows) < FEWEST_ROWS:
        return ()
    with np.errstate(all="ignore"):
        blocks = (*_perplexity(rows), *_divergence(rows), *_probability(rows))
    return tuple(Line(name, LABELS[name], float(value), pm, *_form(name)) for name, value, pm in blocks)


Found = tuple[str, float, float | None]


def _perplexity(rows: Rows) -> Iterator[Found]:
    q, p, count = rows.nll_other, rows.nll_base, len(rows)  # the products are rounded to float32 before they are summed
    mean_q, error_q = _mean_and_error(_sum(q), _sum(q * q), count)
    mean_p, error_p = _mean_and_error(_sum(p), _sum(p * p), count)
    covariance = (_sum(q * p) / count - mean_q * mean_p) / (count - 1)
    ppl_q, ppl_p, ratio = _exp(mean_q), _exp(mean_p), _exp(mean_q - mean_p)
    error_ratio = _root(error_q * error_q + error_p * error_p - 2 * covariance)
    u_q, u_p = ppl_q * error_q, ppl_p * error_p
    yield "ppl_other", ppl_q, u_q
    yield "ppl_base", ppl_p, u_p
    yield "correlation", 100 * _quotient(covariance, error_q * error_p), None
    yield "mean_ln_ratio", mean_q - mean_p, error_ratio
    yield "ppl_ratio", ratio, ratio * error_ratio
    yield "ppl_difference", ppl_q - ppl_p, _root(u_q * u_q + u_p * u_p - 2 * (ppl_q * ppl_p * covariance))


def _divergence(rows: Rows) -> Iterator[Found]:
    yield ("kld_mean", *_mean_and_error(_sum(rows.kld), _sum(rows.kld * rows.kld), len(rows)))
    ordered = np.sort(rows.kld.astype(np.float32))
    yield from ((f"kld_{rank}", _ranked(rank, ordered), None) for rank in KLD_RANKS)


def _probability(rows: Rows) -> Iterator[Found]:
    delta, count = rows.delta_p, len(rows)
    square = (delta * delta).astype(np.float64)  # rounded to float32; the fourth power is not
    mean, error = _mean_and_error(_sum(delta), _sum(square), count)
    yield "dp_mean", 100 * mean, 100 * error
    ordered = np.sort(delta)
    yield from ((f"dp_{rank}", 100 * _ranked(rank, ordered), None) for rank in RANKS)
    mean_square, error_square = _mean_and_error(_sum(square), _sum(square * square), count)
    root = sqrt(mean_square)
    yield "dp_rms", 100 * root, 100 * (_quotient(0.5, root) * error_square)
    share = int(rows.same_top.sum()) / count
    yield "same_top", 100 * share, 100 * sqrt(share * (1 - share) / (count - 1))


def _sum(values: Values) -> float:
    return float(values.sum(dtype=np.float64))


def _mean_and_error(total: float, squares: float, count: int) -> tuple[float, float]:
    mean = total / count
    bracket = squares / count - mean * mean
    return mean, sqrt(bracket / (count - 1)) if bracket > 0 and count >= FEWEST_SPREAD else 0.0


def _exp(power: float) -> float:
    """As C has it: infinite where Python raises."""
    return exp(power) if power < 709 else float(np.exp(np.float64(power)))


def _root(square: float) -> float:
    return sqrt(square) if square >= 0 else float("nan")


def _quotient(over: float, under: float) -> float:
    return float(np.float64(over) / np.float64(under))


def _ranked(rank: str, ordered: Values) -> float:
    """Linear between order statistics in float32; the median is the middle one, or half the sum of the two."""
    if rank == "median":
        middle = len(ordered) // 2
        return float(ordered[middle] if len(ordered) % 2 else HALF * (ordered[middle] + ordered[middle - 1]))
    if rank in ENDS:
        return float(ordered[ENDS[rank]])
    position = np.float32(RANKS[rank]) * np.float32(len(ordered) - 1)
    below = min(int(position), len(ordered) - 1)
    share = position - np.float32(below)
    above = ordered[min(below + 1, len(ordered) - 1)]
    return float((np.float32(1) - share) * ordered[below] + share * above)


HALF = np.float32(0.5)
ENDS = {"max": -1, "min": 0}
RANKS = {
    "max": 1.0, "99.9": 0.999, "99": 0.99, "95": 0.95, "90": 0.9, "75": 0.75, "median": 0.5,
    "25": 0.25, "10": 0.1, "5": 0.05, "1": 0.01, "0.1": 0.001, "min": 0.0,
}  # fmt: skip
KLD_RANKS = tuple(rank for rank in RANKS if rank not in {"75", "25"})
RANK_LABELS = {
    "max": "Maximum", "99.9": "99.9%", "99": "99.0%", "95": "95.0%", "90": "90.0%", "75": "75.0%", "median": "Median",
    "25": "25.0%", "10": "10.0%", "5": " 5.0%", "1": " 1.0%", "0.1": " 0.1%", "min": "Minimum",
}  # fmt: skip
LABELS = {
    "ppl_other": "Mean PPL(Q)",
    "ppl_base": "Mean PPL(base)",
    "correlation": "Cor(ln(PPL(Q)), ln(PPL(base)))",
    "mean_ln_ratio": "Mean ln(PPL(Q)/PPL(base))",
    "ppl_ratio": "Mean PPL(Q)/PPL(base)",
    "ppl_difference": "Mean PPL(Q)-PPL(base)",
    "kld_mean": "Mean    KLD",
    **{f"kld_{rank}": f"{RANK_LABELS[rank]:<7} KLD" for rank in KLD_RANKS},
    "dp_mean": "Mean    Δp",
    **{f"dp_{rank}": f"{label:<7} Δp" for rank, label in RANK_LABELS.items()},
    "dp_rms": "RMS Δp",
    "same_top": "Same top p",
}


@dataclass(frozen=True)
class Form:
    """How the lines of a block are printed."""

    names: tuple[str, ...]  # how they begin
    heading: str
    label_width: int
    width: int
    pm_width: int
    decimals: int
    end: str  # after a number, and after what follows ±
    pm_end: str
    unit: str


KLD = "====== KL divergence statistics ======"
PROBABILITY = "====== Token probability statistics ======"
FORMS = (
    Form(("correlation",), "====== Perplexity statistics ======", 30, 6, 0, 2, "%", "", "%"),
    Form(("ppl_", "mean_"), "====== Perplexity statistics ======", 30, 10, 10, 6, "", "", ""),
    Form(("kld_",), KLD, 0, 10, 10, 6, "", "", ""),
    Form(("dp_rms",), PROBABILITY, 10, 6, 5, 3, "%", " %", "%"),
    Form(("dp_", "same_"), PROBABILITY, 0, 6, 5, 3, "%", " %", "%"),
)


def _form_of(name: str) -> Form:
    return next(form for form in FORMS if name.startswith(form.names))


def _form(name: str) -> tuple[str, int]:
    form = _form_of(name)
    return form.unit, form.decimals


def printed(found: Iterable[Line]) -> str:
    """The tool's three blocks, byte for byte; nothing of no lines."""
    blocks: dict[str, list[str]] = {}
    for line in found:
        form = _form_of(line.name)
        blocks.setdefault(form.heading, [form.heading]).append(_text(line, form))
    return "\n\n".join("\n".join(block) for block in blocks.values()) + "\n" * bool(blocks)


def _text(line: Line, form: Form) -> str:
    text = f"{line.label:<{form.label_width}}: {line.printed:>{form.width}}"
    return text + (form.end if line.printed_pm is None else f" ± {line.printed_pm:>{form.pm_width}}{form.pm_end}")
