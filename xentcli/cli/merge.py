"""`xent merge`: the report of the whole from the partials of its shares."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import Command
from xentcli.cli.help import Argument
from xentcli.cli.options import CLAIM_OPTIONS, EPILOG, OUTPUT_OPTIONS, PARTIAL_OPTION, option, with_options
from xentcli.cli.output import WholeFile, name_inputs
from xentcli.cli.present import Presentation
from xentcli.cli.request import claim
from xentcli.cli.terminal import remark
from xentcli.cli.watch import Watch
from xentcli.sources.files import check_file

if TYPE_CHECKING:
    from xentcli.question.claims import Claim
    from xentcli.records.report import Report


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
@with_options((PARTIAL_OPTION, TRUST_OPTION), CLAIM_OPTIONS, OUTPUT_OPTIONS)
def merge(partials: tuple[str, ...], partial: str | None, trust_inputs: bool, expect: str | None, **given: Any) -> int:
    """Put the partials of shards together, which `xent compute --partial` or `--resume` wrote.

    The report is that of one run over all rows, to the last byte of its JSON but for `command`: facts add up exactly.
    Partials of other inputs, options or versions, rows that are missing and rows that are in two of them are refused.
    Where the files of the inputs are at hand, every byte of them is compared with what was read for the partials.
    With --partial FILE, rows may be missing before and after those that are put together.
    """
    if given.pop("json"):
        given["form"] = "json"
    presentation = Presentation(**given)
    name_inputs(*partials)
    claimed = claim(expect)
    for path in partials:
        check_file(path)
    return presentation.present(
        lambda: _report(partials, partial, claimed, trusted=trust_inputs, quiet=presentation.quiet)
    )


merge.params = [param for param in merge.params if param.name != "rows"]  # as many as the shards were asked for


def _report(paths: tuple[str, ...], target: str | None, claimed: Claim | None, *, trusted: bool, quiet: int) -> Report:
    with ExitStack() as stack:
        file = None if target is None else stack.enter_context(WholeFile(Path(target)))
        from xentcli.running.merging import check_whole, merged, merged_report, not_compared
        from xentcli.running.partial import read_partial

        named = [(path, read_partial(path)) for path in paths]
        total = merged(named)
        if file is None:
            check_whole(total)
        if not trusted:
            with Watch(quiet=quiet) as watch:
                notes = list(not_compared(named, watch))
            if quiet < 2 and notes:
                remark("\n".join(f"note: {note}" for note in notes))
        if file is not None:
            file.write(total.to_bytes())
    return merged_report(total, claimed)
