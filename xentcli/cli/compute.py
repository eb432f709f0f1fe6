"""`xent compute`: the loss of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from xentcli.cli.options import EPILOG, JUDGE_OPTIONS, LOSS_OPTIONS, OUTPUT_OPTIONS, option, with_options
from xentcli.cli.request import Request
from xentcli.errors import UsageError
from xentcli.sources.files import check_file

if TYPE_CHECKING:
    from xentcli.records import Report


@click.command(epilog=EPILOG)
@click.argument("logits", type=click.Path())
@click.argument("labels", type=click.Path(), required=False)
@option("--label-column", metavar="NAME", help="Labels are a column of the logits' CSV; LABELS is then left out.")
@with_options(LOSS_OPTIONS, JUDGE_OPTIONS, OUTPUT_OPTIONS)
@click.pass_context
def compute(context: click.Context, /, logits: str, labels: str | None, label_column: str | None, **given: Any) -> int:
    """The loss of LOGITS and LABELS, by both paths, with the verdict.

    The files are CSV (with or without a header) or .npy. LABELS holds integers of the logits' shape without the
    class axis, or target probabilities of the logits' full shape.
    """
    if labels is not None and context.get_parameter_source("label_column") != ParameterSource.COMMANDLINE:
        label_column = None  # what is typed wins over a setting
    _check_labels(labels, label_column)
    request = Request.of(given)
    for path in filter(None, (logits, labels, request.weight)):
        check_file(path)

    def make_report() -> Report:
        from xentcli.engine import run
        from xentcli.sources.open import open_array, open_table

        if label_column is not None:
            pair = open_table(logits, label_column)
        else:
            pair = open_array(logits), open_array(str(labels))
        return run(request.problem(*pair), request.policy)

    return request.presentation.present(make_report)


def _check_labels(labels: str | None, label_column: str | None) -> None:
    """The labels are given in exactly one of two ways."""
    ways = "LABELS, or --label-column NAME for a column of the logits' CSV"
    if labels is None and label_column is None:
        raise UsageError("the labels are missing", expected=ways, hint="xent compute --help")
    if labels is not None and label_column is not None:
        found = f"LABELS {labels} and --label-column {label_column}"
        raise UsageError("the labels are given twice", found=found, expected=ways, hint="leave one of them out")
