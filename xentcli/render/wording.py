"""The sentences that the formats for people share."""

from __future__ import annotations

import math
import shlex
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from xentcli.errors import harmless
from xentcli.numbers.precision import FLOAT64, PRECISIONS, Precision
from xentcli.question.claims import reading, shortened, unexplained
from xentcli.records.metrics import Metrics
from xentcli.records.report import QUANTISED
from xentcli.render.numbers import against, brief, certain, percent, plural, rounded, shortest, telling_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Comparison
    from xentcli.records.report import (
        ByteClaim,
        Cause,
        Discrepancy,
        Enclosure,
        Finding,
        Match,
        PathResult,
        Range,
        Report,
        RowClaims,
        RowSums,
        Shards,
        Worst,
    )
    from xentcli.records.statistic import Statistic

DEFAULTS: dict[str, object] = {
    "weight": None,
    "ignore_index": -100,
    "label_smoothing": 0.0,
    "reduction": "mean",
    "class_axis": 1,
    "dtype": "float64",
    "device": "cpu",
    "rtol": None,
    "atol": None,
    "reference": "fast",
    "seed": None,
    "input": "logits",
    "binary": False,
    "pos_weight": None,
    "shift": False,
    "temperature": None,
    "softcap": None,
    "z_loss": None,
}
SEVERITIES = {"info": "note", "warning": "warning", "error": "error"}
METRIC_DIGITS = 5
ROWS_NAMED = 10  # so many rows of a finding are listed, the others counted
UNLIKELY = 1e-6  # a chance that is not worth telling
HOLDS = {True: "holds", False: "does not hold", None: "is undecided"}
MATCHES = {
    "digits": "at all its digits",
    "float32": "as a float32, printed with more digits than it has",
    "float64": "as a float64, whose last digits are roundings",
    "last digit": "but for one unit in the last digit",
}

Entry = tuple[str, str]  # a word and what there is to say about it


def printable(value: Any) -> Any:
    """The same record, with everything that would steer a terminal, break a line or break XML written as an escape."""
    if isinstance(value, str):
        return harmless(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: printable(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, tuple):
        return tuple(printable(item) for item in value)
    if isinstance(value, dict):
        return {key: printable(item) for key, item in value.items()}
    return value


def sample_precision(report: Report) -> Precision:
    """The format the losses are printed in: all digits of a 16-bit one, as the errors beside it are about them."""
    return PRECISIONS[PRECISIONS[report.options.dtype].arithmetic]


def total_precision(result: PathResult, report: Report) -> Precision:
    """The format of a total: that of the paths, or float64 where it is an exact sum."""
    return FLOAT64 if result.streamed else sample_precision(report)


def paths(report: Report) -> tuple[tuple[str, PathResult], ...]:
    """The two paths with their names."""
    return (("library", report.losses.library), ("manual", report.losses.manual))


def true_loss(report: Report, lower: float, upper: float) -> str:
    """The certain digits of a sample's true loss, two more than tell the paths' numbers apart."""
    return certain(lower, upper, min(telling_digits(sample_precision(report)) + 2, 17))


def true_value(reference: Enclosure) -> str:
    """The certain digits of the true total; nothing where there is no total."""
    if reference.decimal is not None:
        return reference.decimal
    if reference.lower is None or reference.upper is None:
        return ""
    return certain(reference.lower, reference.upper, 17)


def values(extent: Range) -> str:
    """From the least to the greatest finite value, and how many are not finite."""
    ends = [_end(value) for value in (extent.minimum, extent.maximum) if value is not None]
    counts = [f"{count:,} {kind}" for kind, count in (("NaN", extent.nan), ("infinite", extent.infinite)) if count]
    return ", ".join([" to ".join(ends)] * bool(ends) + counts)


def changed_options(report: Report) -> str:
    """The options that are not at their defaults, as one would type them."""
    logits = report.input.logits
    defaults = DEFAULTS | {"class_axis": min(1, len(logits.shape) - 1)}
    if logits.dtype in PRECISIONS:
        defaults["dtype"] = logits.dtype
    chosen = {name: getattr(report.options, name) for name in defaults}
    changed = {name: value for name, value in chosen.items() if value != defaults[name]}
    return " ".join(typed(name, value) for name, value in changed.items())


def typed(name: str, value: object) -> str:
    """An option as one would type it; of a flag, its name alone."""
    return f"--{name.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(str(value))}")


def settings(report: Report | Comparison) -> str:
    """The options that were not typed, each with where it came from."""
    return "; ".join(f"{each.option} {each.value}, from {each.source}" for each in report.settings or ())


def scope(report: Report) -> str:
    """What the totals are of."""
    counts, reduction = report.counts, report.options.reduction
    if reduction == "none":
        return "Worst rows"
    over = plural(counts.samples - counts.ignored, "sample")
    if reduction == "mean" and report.options.weight and report.input.kind == "labels":
        over = f"total weight {counts.denominator!r} of {over}"
    return f"{reduction.capitalize()} over {over}" + (f", {counts.ignored:,} ignored" if counts.ignored else "")


def left_out(report: Report) -> str:
    """How many rows the tables do not show, and how to see them; nothing if they show all."""
    missing = report.counts.samples - len(report.samples)
    if not missing:
        return ""
    return f"{missing:,} of {plural(report.counts.samples, 'row')} left out; --rows all shows them"


def facts(report: Report) -> Iterator[Entry]:
    """What there is to say beside the totals."""
    yield from metrics(report)
    yield from _path_facts(report)
    yield from details(report)


def details(report: Report) -> Iterator[Entry]:
    """The same without what an answer begins with."""
    yield from _discrepancy_facts(report, report.discrepancy)
    if report.cast:
        effect = brief(report.cast.effect, 3)
        yield "cast", f"the cast to {report.options.dtype} moves the true loss by {effect}, not counted as an error"
    if report.row_sums:
        yield "row sums", _row_sums(report.row_sums)
    if report.input.logits.format == QUANTISED:
        yield "quantised", "the true loss is that of the logits before 16 bits held them, as far as that can be known"
    if report.part:
        share = f", share {report.part.share}" if report.part.share else ""
        yield "part", f"{report.part.rows} of {report.part.samples:,} alone{share}"
    if report.input.logits.shards:
        yield "shards", _shards(report.input.logits.shards)
    if report.streamed:
        names = " and ".join(name for name, path in paths(report) if path.streamed)
        yield "streamed", f"{names}: an exact sum of the samples' losses, rounded once to float64"


def metrics(report: Report) -> Iterator[Entry]:
    """Perplexity, accuracy and the standard error on one line, which its first name begins."""
    known, counted = report.metrics or Metrics(), report.counts.samples - report.counts.ignored
    texts = []
    if "perplexity" in known:
        texts.append(("perplexity", _perplexity(known["perplexity"])))
    if "accuracy" in known:
        texts.append(("top-1", _share(known["accuracy"], counted)))
    if "nll" in known and known["nll"].se is not None:
        texts.append(("standard error", _standard_error(report, known["nll"])))
    if texts:
        (word, first), *others = texts
        altered = report.options.weight or report.options.label_smoothing
        note = ["of −log p, without weights and smoothing"] if altered else []
        yield word, "   ".join([first, *map(" ".join, others), *note])


def _standard_error(report: Report, loss: Statistic) -> str:
    """Of the groups, where rows belong together."""
    if report.grouped is None:
        return brief(loss.se)
    groups = plural(report.grouped.groups, "group")
    return f"unknown of {groups}" if loss.group_se is None else f"{brief(loss.group_se)} by {groups}"


def _perplexity(found: Statistic) -> str:
    if math.isinf(found.upper) and math.isfinite(found.lower):
        return f"at least {rounded(found.lower, METRIC_DIGITS)}"
    return certain(found.lower, found.upper, METRIC_DIGITS)


def _share(found: Statistic, count: int) -> str:
    """A share of so many samples, and which; both ends where ties decide."""
    ends = list(dict.fromkeys((found.lower, found.upper)))
    shares, counts = ([spell(end) for end in ends] for spell in (percent, lambda end: f"{round(end * count):,}"))
    ties = ", ties decide" if len(ends) > 1 else ""
    return f"{' to '.join(shares)} % ({' to '.join(counts)} of {count:,}{ties})"


def _row_sums(found: RowSums) -> str:
    """What the given probabilities miss of 1."""
    ends = dict.fromkeys(f"{end:.3g}" for end in (found.lower, found.upper))
    return f"the given probabilities miss 1 by {' to '.join(ends)} at most, by proof; row {found.row}"


def claim(report: Report) -> str:
    """Whether the claimed value is the true one, and what the true one is."""
    expectation = report.expectation
    if expectation is None:
        return ""
    truth = true_value(report.losses.reference) if report.losses.reference else ""
    answer = "is the library's own result" if expectation.of_library else HOLDS[expectation.holds]
    by_digits = report.options.rtol is None and report.options.atol is None and not expectation.of_library
    few = reading(expectation.claimed) if by_digits else ""
    return f"{shortened(expectation.claimed)} {answer}{few}" + (f"; the true value is {truth}" if truth else "")


def path_failure(result: PathResult, report: Report) -> str:
    """In how many rows a path is not within its bound, and where it is furthest off."""
    failed = [f"{status} in {count:,}" for status, count in result.rows.items() if count and status != "within"]
    if not failed:  # every sample is right, and adding them up is not
        return f"{result.status} in the total alone"
    text = f"{', '.join(failed)} of {plural(report.counts.samples, 'row')}"
    return (
        f"{text}; worst is row {row_name(report, result.worst.row)}: {_worst(result.worst, report)}"
        if result.worst
        else text
    )


def row_name(report: Report, row: int) -> str:
    """The row's number, and which row of which file it is where there are several."""
    shard = report.input.logits.shards and report.input.logits.shards.of_row(row)
    return f"{row}, row {row - shard.first_row} of {shard.path}" if shard else str(row)


def _shards(shards: Shards) -> str:
    """Where the files begin that hold the rows of the tables and of the findings."""
    more = len(shards.named) - ROWS_NAMED
    starts = [f"{shard.path} from row {shard.first_row}" for shard in shards.named[:ROWS_NAMED]]
    ending = f" and {more:,} more named" if more > 0 else ""
    return f"{', '.join(starts)}{ending}; {plural(shards.count, 'file')} of logits in all"


def row_list(rows: tuple[int, ...]) -> str:
    """The first rows, and how many more there are."""
    more = len(rows) - ROWS_NAMED
    return ", ".join(map(str, rows[:ROWS_NAMED])) + (f" and {more:,} more" if more > 0 else "")


def finding_details(finding: Finding) -> list[Entry]:
    """What a finding adds to its message."""
    details = [("rows", row_list(finding.rows)), ("hint", finding.hint)]
    return [(word, text) for word, text in details if text]


def byte_claim(found: ByteClaim) -> str:
    """Whether claimed bits per byte are the true ones, and what these are."""
    truth = f"; the true value is {found.true}" if found.true else ""
    return f"{shortened(found.claimed)} bits per byte {HOLDS[found.holds]}{reading(found.claimed)}{truth}"


def byte_claim_details(found: ByteClaim) -> list[Entry]:
    """What the true value is made of, and what gives the claim instead."""
    made = f"{found.nats:,.6g} nats in {plural(found.tokens, 'token')}, over {plural(found.bytes, 'byte')}"
    if found.holds is not False:
        return [("made of", made)]
    causes = [entry for cause in found.causes for entry in cause_details(cause)]
    return [("made of", made), *(causes or [("cause", implied_bytes(found))])]


def implied_bytes(found: ByteClaim) -> str:
    """Over how many bytes the claim would hold, beside those that were given."""
    if found.implied is None:
        return unexplained(found.claimed)
    percent = 100.0 * (found.implied / found.bytes - 1.0)
    aside = f"{abs(percent):.2g} % {'more' if percent > 0 else 'fewer'} than given"
    return f"these bits over {shortened(found.claimed)} are {found.implied:,.0f} bytes, {aside}"


def row_claims(found: RowClaims) -> str:
    """How many claims about rows hold, and how many rows one mistake explains."""
    said = (
        f"{found.wrong:,} of {found.count:,} do not hold" if found.wrong else f"{found.count - found.undecided:,} hold"
    )
    if found.undecided:
        said += f", {found.undecided:,} may or may not"
    if found.wrong:
        said += (
            f"; one mistake gives {found.caused:,} of {found.looked:,}"
            if found.cause
            else "; no one mistake gives them"
        )
    return said


def claim_details(report: Report) -> list[Entry]:
    """What would make a false claim, as far as that was found out."""
    expectation = report.expectation
    if expectation is None or expectation.holds is not False:
        return []
    if expectation.causes is None:
        return [("cause", "not looked for, as that takes the inputs: see xent compute --expect")]
    if not expectation.causes:
        return [("cause", unexplained(expectation.claimed, "this number"))]
    return [entry for cause in expectation.causes for entry in cause_details(cause)]


def cause_details(cause: Cause) -> list[Entry]:
    """A mistake, how it gives the number, and what to do."""
    code = f"{cause.code}: {' + '.join(cause.steps)}" if cause.steps else cause.code
    entries = [("cause", f"{cause.statement} ({code})"), ("match", _match(cause.match)), ("remedy", cause.remedy)]
    return [(word, text) for word, text in entries if text]


def _match(match: Match | None) -> str:
    """How the cause gives the claim, where that may be chance."""
    if match is None or match.chance < UNLIKELY:
        return "" if match is None or match.kind == "digits" else MATCHES[match.kind]
    times = float(brief(1.0 / match.chance, 1))
    once = f"one of {plural(match.tried, 'value')} tried does so by chance once in {times:,.0f}"
    return f"{MATCHES[match.kind]}; {once}"


def verdict(report: Report) -> str:
    """The last line, which makes no riddle of the exit code."""
    return f"{report.verdict}: {report.summary}"


def _path_facts(report: Report) -> Iterator[Entry]:
    if report.counts.samples == report.counts.ignored:
        return  # of nothing there is nothing to say
    for name, result in paths(report):
        statuses = {result.status, *(status for status, count in result.rows.items() if count)}
        if statuses - {"within", None}:
            yield name, path_failure(result, report)


def _end(value: float) -> str:
    """A whole number in full, any other to four digits."""
    return f"{value:.15g}" if value.is_integer() else f"{value:.4g}"


def _worst(worst: Worst, report: Report) -> str:
    error, allowed = against(worst.error, worst.allowed)
    detail = f" (error {error}, allowed {allowed})" if error and allowed else ""
    return shortest(worst.value, sample_precision(report)) + detail


def _discrepancy_facts(report: Report, discrepancy: Discrepancy) -> Iterator[Entry]:
    """How far the paths are apart: their totals, and the row in which they are furthest."""
    if discrepancy.absolute is not None and report.options.reduction != "none":
        text = _discrepancy(discrepancy, judged_alone=report.losses.reference is None)
        yield f"difference of the {report.options.reduction}s", text
    if discrepancy.worst is not None and discrepancy.worst.library != discrepancy.worst.manual:
        yield "largest in a row", _worst_pair(report, discrepancy)


def _discrepancy(discrepancy: Discrepancy, *, judged_alone: bool) -> str:
    absolute, allowed = against(discrepancy.absolute, discrepancy.allowed if judged_alone else None)
    relative, ulp = brief(discrepancy.relative), brief(discrepancy.ulp)
    scaled = f" (relative {relative}, {ulp} ulp)" if relative and ulp and math.isfinite(float(absolute)) else ""
    return absolute + scaled + (f", allowed {allowed}" if allowed else "")


def _worst_pair(report: Report, discrepancy: Discrepancy) -> str:
    worst, precision = discrepancy.worst, sample_precision(report)
    assert worst is not None
    texts = [f"library {shortest(worst.library, precision)}", f"manual {shortest(worst.manual, precision)}"]
    if worst.reference is not None:
        texts.append(f"true {rounded(worst.reference, min(telling_digits(precision) + 2, 17))}")
    alone = report.options.reduction == "none" and report.losses.reference is None
    limit = f", allowed {brief(discrepancy.allowed)}" if alone and discrepancy.allowed is not None else ""
    apart = "" if report.options.reduction != "none" else f"{brief(discrepancy.absolute)} in "
    return f"{apart}row {row_name(report, worst.row)} ({', '.join(texts)}){limit}"


def difference(library: float, manual: float) -> float:
    """How far the paths are apart; two equal infinities are not."""
    return 0.0 if library == manual else abs(library - manual)
