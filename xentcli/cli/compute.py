"""`xent compute`: the loss of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.elsewhere import Workers
from xentcli.cli.inputs import INPUTS, Inputs
from xentcli.cli.options import (
    EPILOG,
    JUDGE_OPTIONS,
    LOSS_OPTIONS,
    OUTPUT_OPTIONS,
    REDUCTION_OPTIONS,
    WORKER_OPTIONS,
    with_options,
)
from xentcli.cli.request import Request

if TYPE_CHECKING:
    from xentcli.records import Report


@click.command(epilog=EPILOG, short_help="The loss of files, by both paths and judged.")
@with_options(INPUTS, LOSS_OPTIONS, REDUCTION_OPTIONS, JUDGE_OPTIONS, WORKER_OPTIONS, OUTPUT_OPTIONS)
@click.pass_context
def compute(context: click.Context, /, **given: Any) -> int:
    """The loss of LOGITS and LABELS, by both paths, with the verdict.

    The files are CSV (with or without a header) or .npy. LABELS holds integers of the logits' shape without the
    class axis, or target probabilities of the logits' full shape.
    """
    inputs = Inputs.of(context, given)
    workers = Workers.of(context, given)
    request = Request.of(given)

    def make_report() -> Report:
        elsewhere = workers.elsewhere(inputs, request)
        pair = inputs.read()  # what is wrong with a file is said before torch is imported
        from xentcli.engine import run

        return run(request.problem(pair), request.policy, elsewhere=elsewhere)

    return request.presentation.present(make_report)
