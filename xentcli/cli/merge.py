"""`xent merge`: the report of the whole from the partials of its shares."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import Command
from xentcli.cli.compare_options import check_rows
from xentcli.cli.explaining import explaining_named
from xentcli.cli.help import Argument
from xentcli.cli.options import (
    BITS_CLAIM_OPTION,
    CLAIM_OPTIONS,
    EPILOG,
    OUTPUT_OPTIONS,
    PARTIAL_OPTION,
    option,
    with_options,
)
from xentcli.cli.output import WholeFile, name_inputs
from xentcli.cli.present import Presentation, last_line
from xentcli.cli.request import claim
from xentcli.cli.terminal import remark
from xentcli.cli.watch import Watch
from xentcli.errors import UsageError
from xentcli.render.comparison.registry import last_line as last_line_of_pairs
from xentcli.render.comparison.registry import render as render_pairs
from xentcli.render.registry import render
from xentcli.sources.files import check_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.comparing.partial import PairAsked
    from xentcli.records.comparison import Comparison
    from xentcli.records.report import Report
    from xentcli.render.page import Page, Piece


TRUST_OPTION = option(
    "--trust-inputs",
    is_flag=True,
    help="Do not read the inputs again to see whether they are what the partials are of.",
)
EXAMPLES = (
    "xent random --samples 9 --classes 5 --seed 0 --save data -q",
    "xent compute data/logits.npy data/labels.npy --shard 1/2 --partial first.json -q",
    "xent compute data/logits.npy data/labels.npy --shard 2/2 --partial second.json -q",
    "xent merge first.json second.json",
)


@click.command(cls=Command, examples=EXAMPLES, epilog=EPILOG, short_help="The report of the whole from partials.")
@click.argument(
    "partials",
    cls=Argument,
    nargs=-1,
    required=True,
    type=click.Path(),
    metavar="PARTIAL...",
    about="Files that --partial or --resume wrote, of shares of the same input.",
)
@with_options((PARTIAL_OPTION, TRUST_OPTION), CLAIM_OPTIONS, (BITS_CLAIM_OPTION,), OUTPUT_OPTIONS)
def merge(
    partials: tuple[str, ...],
    partial: str | None,
    trust_inputs: bool,
    expect: str | None,
    expect_bpb: str | None,
    **given: Any,
) -> int:
    """Put the partials of shards together, which --partial or --resume of `xent compute` or `xent compare` wrote.

    The report is that of one run over all rows, to the last byte of its JSON but for a loss's `command`: facts add up
    exactly.  Partials of other inputs, options or versions, rows that are missing and rows that are in two of them are
    refused.  Where the files of the inputs are at hand, every byte of them is compared with what was read for the
    partials.  With --partial FILE, rows may be missing before and after those that are put together.
    """
    if given.pop("json"):
        given["form"] = "json"
    told: list[str] = []  # the command that explains a row, once the partials are read

    def render_told(report: Report | Comparison, name: str, page: Page) -> Iterator[Piece]:
        return _render(report, name, replace(page, explaining="".join(told)))

    presentation = Presentation(renderer=render_told, last_line=_last_line, **given)
    name_inputs(*partials)
    for path in partials:
        check_file(path)

    def make_report() -> Report | Comparison:
        from xentcli.comparing.claims import NamedClaim
        from xentcli.comparing.kinds import read_all
        from xentcli.running.merging import merged_report
        from xentcli.running.partial import Partial
        from xentcli.running.saved import forgery_told

        named = read_all(partials)
        asked: Any = named[0][1].asked
        is_loss = isinstance(named[0][1], Partial)
        claimed, claimed_bits = (claim(text) if is_loss else None for text in (expect, expect_bpb))
        if is_loss:
            asked.policy(claimed, claimed_bits)  # refuses claims about what was not asked
        else:
            _check_of_comparison(presentation, asked, expect_bpb)
        total = _merged(named, partial, trusted=trust_inputs, quiet=presentation.quiet)
        if is_loss:
            about = total.asked.about
            told.append(explaining_named(total.inputs, about.options, about.logits.dtype))
            return merged_report(total, claimed, claimed_bits)
        with forgery_told("the partials together"):
            compared: Comparison = total.report(claims=() if expect is None else (NamedClaim.parse(expect),))
        return compared

    return presentation.present(make_report)


def _check_of_comparison(presentation: Presentation, asked: PairAsked, expect_bpb: str | None) -> None:
    """UsageError for a format of rows that these partials were not asked for, and for a claim about one set."""
    if expect_bpb is not None:
        raise UsageError("a comparison has no bits per byte", found=f"--expect-bpb {expect_bpb}", hint="--expect")
    wanted = [presentation.form, *(form for form, _ in presentation.reports)]
    check_rows(wanted, "none" if asked.wanted.every_row else "mean", len(asked.about.compared))


def _render(report: Report | Comparison, name: str, page: Page) -> Iterator[Piece]:
    """Either kind of report in the format called `name`."""
    from xentcli.records.comparison import Comparison

    return render_pairs(report, name, page) if isinstance(report, Comparison) else render(report, name, page)


def _last_line(report: Report | Comparison) -> str:
    from xentcli.records.comparison import Comparison

    return last_line_of_pairs(report) if isinstance(report, Comparison) else last_line(report)


def _merged(named: Any, target: str | None, *, trusted: bool, quiet: int) -> Any:
    """The facts of all rows, or of those that --partial keeps."""
    with ExitStack() as stack:
        file = None if target is None else stack.enter_context(WholeFile(Path(target)))
        from xentcli.running.merging import check_whole, merged, not_compared

        total = merged(named)
        if file is None:
            check_whole(total)
        if not trusted:
            with Watch(quiet=quiet) as watch:
                notes = list(not_compared(named, watch))
            if quiet < 2 and notes:
                remark("\n".join(f"note: {note}" for note in notes))
        if file is not None:
            file.write_all(total.pieces())
    return total
