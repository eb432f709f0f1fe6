"""Partials put together: those of the same inputs and options, whose rows lie side by side."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from xentcli.errors import InputError
from xentcli.question.share import RowRange
from xentcli.records.codec import encode
from xentcli.running.identity import differing
from xentcli.running.passes import Pass
from xentcli.running.saved import forgery_told
from xentcli.sources.files import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.question.claims import Claim
    from xentcli.records.progress import Watcher
    from xentcli.records.report import Report, Tool
    from xentcli.running.inputs import Inputs
    from xentcli.running.partial import Partial

    class Part(Protocol):
        """A partial of any kind, as far as all are put together alike."""

        @property
        def tool(self) -> Tool: ...

        @property
        def asked(self) -> Any:
            """What must be the same; its `about` tells how many samples and classes the inputs have."""

        @property
        def inputs(self) -> Any: ...

        @property
        def rows(self) -> RowRange: ...

        @property
        def facts(self) -> Any: ...

        def followed_by(self, other: Any) -> Any: ...

        def reopened(self) -> Inputs: ...


AnyPart = TypeVar("AnyPart", bound="Part")
Named = tuple[str, AnyPart]  # with its file's name, for messages

NAMED_GAPS = 5  # a message names so many of the ranges that are missing
NAMES_OF_FILES = (".path", ".shards", ".notes", ".options.weight")
# how a member's name begins -> what differs, in a message
DIFFERENT = {
    "tool.": "versions",
    "asked.about.options.": "options",
    "asked.wanted.": "options",
    "asked.metrics": "options",
    "asked.digits": "options",
    "asked.shown": "options",
    "asked.": "inputs",
}


def merged(named: Sequence[Named[AnyPart]]) -> AnyPart:
    """The facts of all these rows together; InputError, which names the files, where the partials do not fit."""
    ordered = sorted(named, key=lambda each: (each[1].rows.start, each[1].rows.stop))
    for other in ordered[1:]:
        check_same(ordered[0], other)
    for left, right in pairwise(ordered):
        _check_apart(left, right)
    (_, total), *others = ordered
    _refuse_gaps([partial.rows for _, partial in ordered], total)
    for path, partial in others:
        with forgery_told(path):
            total = total.followed_by(partial)
    return total


def check_whole(partial: Part) -> None:
    """InputError for rows of the input that are missing before or after."""
    samples = partial.asked.about.samples
    _refuse_gaps([RowRange(0, 0), partial.rows, RowRange(samples, samples)], partial)


def check_same(left: Named[AnyPart], right: Named[AnyPart]) -> None:
    """InputError unless the same was asked of the same inputs, and of the same versions."""
    differing = list(_differing("", *(_said(partial) for _, partial in (left, right))))
    if not differing:
        return
    what = next(words for start, words in DIFFERENT.items() if differing[0][0].startswith(start))
    raise InputError(
        f"these facts are of different {what}",
        at=f"{left[0]} and {right[0]}",
        found=", ".join(_difference(*each) for each in differing),
        expected="the same inputs, options and versions",
    )


def not_compared(named: Sequence[Named[AnyPart]], progress: Watcher | None) -> Iterator[str]:
    """Compare the inputs as they are now with what the partials are of; the partials whose files are not here.

    Errors: InputError, which names the file and the partial, for other numbers.
    """
    problems: dict[Any, Inputs] = {}
    for path, partial in named:
        if missing := partial.inputs.elsewhere():
            yield f"{' and '.join(missing)} cannot be read here, so {path} was not compared with it"
            continue
        if partial.inputs not in problems:
            problems[partial.inputs] = _opened(path, partial)
        check_numbers((path, partial), problems[partial.inputs], progress)


def check_numbers(named: Named[AnyPart], problem: Inputs, progress: Watcher | None) -> None:
    """InputError unless the inputs still hold what these facts are of; every byte of their rows is read."""
    path, partial = named
    told = Pass("comparing with what was read before", problem, progress)
    array = differing(problem, partial.rows, partial.facts.read, told)
    if array is not None:
        raise _changed(path, array.path, f"other numbers in {partial.rows}")


def _opened(path: str, partial: Part) -> Inputs:
    about, problem = partial.asked.about, partial.reopened()
    if (problem.samples, problem.classes) != (about.samples, about.classes):
        found = f"{problem.samples:,} samples of {problem.classes:,} classes"
        raise _changed(path, problem.sides[0].logits.path, f"{found}, for {about.samples:,} of {about.classes:,}")
    return problem


def _changed(path: str, file: str, found: str) -> InputError:
    return InputError(
        "the input is not what these facts are of",
        at=f"{file}, for {path}",
        found=found,
        expected="the numbers that were read for it",
        hint="was the file changed since? bring the old one back, or compute this part again",
    )


def merged_report(partial: Partial, expect: Claim | None, expect_bpb: Claim | None = None) -> Report:
    """The report without a look at the inputs, which finding the mistake behind a false claim takes."""
    with forgery_told("the partials together"):
        return partial.report("merge", expect, explained=_not_looked_for, expect_bpb=expect_bpb)


def _not_looked_for(report: Report) -> Report:
    if report.expectation is None or report.expectation.holds is not False:
        return report
    return replace(report, expectation=replace(report.expectation, causes=None))


def _check_apart(left: Named[AnyPart], right: Named[AnyPart]) -> None:
    both = RowRange(right[1].rows.start, min(left[1].rows.stop, right[1].rows.stop))
    if both.start < both.stop:
        at = f"{left[0]} and {right[0]}"
        raise InputError("rows are in two partials", at=at, found=f"{both} in both", hint="leave one of them out")


def _refuse_gaps(ranges: list[RowRange], partial: Part) -> None:
    """InputError for rows between each range and the next."""
    gaps = [RowRange(left.stop, right.start) for left, right in pairwise(ranges) if left.stop < right.start]
    if gaps:
        more = f" and {count(len(gaps) - NAMED_GAPS, 'more range')}" if len(gaps) > NAMED_GAPS else ""
        raise InputError(
            "rows are missing",
            found=f"no partial of {', '.join(map(str, gaps[:NAMED_GAPS]))}{more}",
            expected=f"all {partial.asked.about.samples:,} rows",
            hint="give their partials too; with --partial FILE, rows may be missing before and after",
        )


def _said(partial: Part) -> dict[str, Any]:
    return {"tool": encode(partial.tool), "asked": encode(partial.asked)}


def _differing(name: str, ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each member that differs with both values, but for the names of files: a copy of a file is the same input."""
    if name.endswith(NAMES_OF_FILES):
        return
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in {**ours, **theirs}:
            yield from _differing(f"{name}.{key}".removeprefix("."), ours.get(key), theirs.get(key))
    elif ours != theirs:
        yield name, ours, theirs


def _difference(name: str, left: object, right: object) -> str:
    short = name.removeprefix("asked.").removeprefix("about.").removeprefix("options.")
    if short.startswith("digests."):
        return f"other numbers in the {short.removeprefix('digests.')}"
    return f"{short} {_in_words(left)} and {_in_words(right)}"


def _in_words(value: object) -> str:
    """What was asked; of several members those that say something."""
    if not isinstance(value, dict):
        return str(value)
    return " ".join(f"{name} {_in_words(each)}" for name, each in value.items() if each not in (None, [], "", 0, False))
