"""`xent compute`: the loss of files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import Command
from xentcli.cli.elsewhere import Workers
from xentcli.cli.explaining import explaining
from xentcli.cli.inputs import INPUTS, Inputs
from xentcli.cli.options import (
    EPILOG,
    GIVEN_OPTIONS,
    HEAD_OPTIONS,
    JUDGE_OPTIONS,
    LOSS_OPTIONS,
    METRIC_OPTIONS,
    OUTPUT_OPTIONS,
    PART_OPTIONS,
    REDUCTION_OPTIONS,
    ROW_CLAIM_OPTIONS,
    RUNNING_OPTIONS,
    TRANSFORM_OPTIONS,
    WORKER_OPTIONS,
    with_options,
)
from xentcli.cli.parts import Parts
from xentcli.cli.request import Request
from xentcli.cli.watch import Watch, sizes
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from xentcli.records.report import Report


EXAMPLES = (
    "xent random --samples 4 --classes 10 --seed 0 --save data -q",
    "xent compute data/logits.npy data/labels.npy",
    "xent compute data/logits.npy data/labels.npy --reduction sum --json",
)


@click.command(cls=Command, examples=EXAMPLES, epilog=EPILOG, short_help="The loss of files, by both paths and judged.")
@with_options(INPUTS, GIVEN_OPTIONS, HEAD_OPTIONS, LOSS_OPTIONS, TRANSFORM_OPTIONS, REDUCTION_OPTIONS, METRIC_OPTIONS)
@with_options(JUDGE_OPTIONS, ROW_CLAIM_OPTIONS)
@with_options(PART_OPTIONS, OUTPUT_OPTIONS)
@with_options(RUNNING_OPTIONS, WORKER_OPTIONS)
@click.pass_context
def compute(context: click.Context, /, **given: Any) -> int:
    """The loss of LOGITS and LABELS, by both paths, with the verdict.

    The files are .npy, CSV (with or without a header) or of another of `xent formats`; FILE:NAME is one array of a file
    that holds several, and - is standard input. LABELS holds integers of the logits' shape without the class axis, or
    target probabilities of the logits' full shape; it is left out where LOGITS holds both.

    Each may be several files, joined in their order: a quoted pattern ('logits-*.npy') or a folder, where numbers in
    names count by their size, 2 before 10, or @FILES.txt, one name a line. Each may be an address, too: s3://, gs://,
    https:// and all others of fsspec.
    """
    command = explaining(context, given)
    inputs = Inputs.of(context, given)
    parts = Parts.of(given)
    workers = Workers.of(context, given)
    request = Request.of(given, in_parts=parts.wanted)
    if parts.wanted and request.claims is not None:
        raise UsageError(
            "claims about rows are judged where all rows are",
            found="--shard, --partial or --resume with a claim about rows",
            hint="leave the shard out",
        )

    def make_report() -> Report:
        elsewhere = workers.elsewhere(inputs, request)
        running: dict[str, Any] = {"threads": request.threads, "elsewhere": elsewhere}
        with Watch(quiet=request.presentation.quiet) as watch:
            pair = inputs.read()  # what is wrong with a file is said before torch is imported
            watch.announce("reading the data", sizes(inputs.logits, inputs.labels))
            problem = request.problem(pair)
            claims = request.row_claims()
            if parts.wanted:
                return parts.report(problem, request.policy, inputs.saved(), **running, progress=watch)
            from xentcli.running.engine import run

            return run(problem, request.policy, **running, progress=watch, claims=claims)

    return replace(request.presentation, explaining=command).present(make_report)
