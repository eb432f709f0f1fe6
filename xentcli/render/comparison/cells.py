"""What the tables of a comparison hold, whatever draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.records.pairs import shown_of
from xentcli.records.statistic import Statistic
from xentcli.render.cells import Grid
from xentcli.render.ends import spelled
from xentcli.render.numbers import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.breakdown import Top
    from xentcli.records.comparison import Compared, Dialect, Gate

BLOCKS = {  # heading -> statistic -> what it is called
    "Loss": {
        "loss_base": "mean loss, base",
        "loss_other": "mean loss, other",
        "loss_difference": "other less base",
        "smallest_detectable": "smallest detectable",
        "ppl_base": "perplexity, base",
        "ppl_other": "perplexity, other",
        "ppl_ratio": "perplexity ratio",
        "correlation": "correlation",
    },
    "Divergence": {
        "kl": "KL(base, other)",
        "kl_reverse": "KL(other, base)",
        "js": "Jensen-Shannon",
        "tv": "total variation",
        "kl_cvar99": "KL, mean of worst 1 %",
        "entropy_base": "entropy, base",
        "entropy_other": "entropy, other",
    },
    "Label's probability": {"delta_p": "other less base", "rms_delta_p": "root mean square"},
    "Agreement": {
        "accuracy_base": "accuracy, base",
        "accuracy_other": "accuracy, other",
        "same_top": "same top class",
        "top5_overlap": "top 5 in common",
        "top10_overlap": "top 10 in common",
        "flips_right_wrong": "right, then wrong",
        "flips_wrong_right": "wrong, then right",
    },
    "Logits": {
        "max_abs_logit": "greatest difference",
        "rmse_logit": "root mean square",
        "cosine_logit": "cosine",
        "affine_slope": "other / base, slope",
        "affine_offset": "the same, offset",
        "affine_residual": "the same, residual",
    },
}
TITLES = {name: title for names in BLOCKS.values() for name, title in names.items()} | {
    "loss_difference": "loss, other less base",
    "ppl_difference": "perplexity, other less base",
    "delta_p": "label's p, other less base",
    "rms_delta_p": "label's p, root mean square",
    "kl_cvar95": "KL, mean of worst 5 %",
    "kl_99.9": "KL, 99.9 %",
    "max_abs_logit": "greatest logit difference",
    "rmse_logit": "logits, root mean square",
    "cosine_logit": "logits, cosine",
    "affine_slope": "logits, other / base, slope",
    "affine_offset": "logits, the same, offset",
    "affine_residual": "logits, the same, residual",
}
TOPS_SHOWN = 2  # classes of a side


def blocks(compared: Compared) -> Iterator[tuple[str, Grid]]:
    """Each block's heading, and its statistics: as far as they are certain, with their statistical error beside it."""
    for heading, names in BLOCKS.items():
        known = {name: compared.statistics[name] for name in names if name in compared.statistics}
        if known:
            errors = any(each.se is not None for each in known.values())
            grouped = any(each.group_se is not None for each in known.values())
            head = ("", "value", *(["± rows"] if errors else []), *(["± groups"] if grouped else []))
            rows = tuple(
                (
                    names[name],
                    spelled(each),
                    *([brief(each.se)] if errors else []),
                    *([brief(each.group_se)] if grouped else []),
                )
                for name, each in known.items()
            )
            yield heading, Grid(head, rows)


def turned(grid: Grid) -> Grid:
    """With a row for each column."""
    head, *rows = zip(grid.head, *grid.rows, strict=True)
    return Grid(head, tuple(rows))


def percentiles(compared: Compared) -> Grid:
    """Those of KL, and of what the label's probability changed by."""
    shown = [name for name in ("kl", "delta_p") if name in compared.statistics]
    names = ("min", "0.1", "1", "5", "50", "95", "99", "99.9", "max")
    titles = {"kl": "KL", "delta_p": "label's p"}
    rows = []
    for name in shown:
        found = compared.statistics[name].percentiles or {}
        rows.append((titles[name], *(brief(found[each].value, 3) for each in names)))
    return Grid(("percentile", *(name if name in {"min", "max"} else f"{name} %" for name in names)), tuple(rows))


def worst_rows(compared: Compared, *, with_tops: bool = True) -> Grid:
    """The rows with the greatest KL; with the most probable classes of both sides and their probabilities, or one."""
    shown = shown_of(compared.rows)
    labelled = any(row.label is not None for row in shown)
    head = ("row", "KL", *(("label", "loss base", "loss other") if labelled else ()), "top base", "top other")
    rows = tuple(
        (
            str(row.row),
            brief(row.kl, 4),
            *((str(row.label), brief(row.loss_base, 4), brief(row.loss_other, 4)) if labelled else ()),
            _tops(row.top_base, row.tops_base if with_tops else ()),
            _tops(row.top_other, row.tops_other if with_tops else ()),
        )
        for row in shown
    )
    return Grid(head, rows)


def _tops(first: int, tops: tuple[Top, ...]) -> str:
    """ "3: 0.91, 5: 0.05"; the first class alone where no more is known."""
    return ", ".join(f"{top.number}: {brief(top.probability)}" for top in tops[:TOPS_SHOWN]) or str(first)


def dialect_lines(dialect: Dialect) -> Grid:
    """Each line of another tool, as printed, and what its value was before the tool stored and cut anything."""
    rows = tuple(
        (line.label, line.printed, spelled(Statistic(line.value, line.lower, line.upper)))
        for line in dialect.lines
        if line.lower is not None and line.upper is not None
    )
    return Grid(("", "printed", "before"), rows)


def gate_line(gate: Gate) -> str:
    """A gate's verdict, its value and its limit, and the rows that weigh most where it is broken."""
    told = f"--{gate.name} {gate.limit:g}: {spelled(Statistic(gate.value, gate.lower, gate.upper))}"
    if gate.verdict == "holds":
        return told
    listed = ", ".join(map(str, gate.rows[:5]))
    return f"{told}; rows {listed} weigh most" if listed else told
