"""`xent compute`: the loss of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.options import EPILOG, JUDGE_OPTIONS, LOSS_OPTIONS, OUTPUT_OPTIONS, option, with_options
from xentcli.cli.request import Request
from xentcli.sources.files import check_file

if TYPE_CHECKING:
    from xentcli.records import Report


@click.command(epilog=EPILOG)
@click.argument("logits", type=click.Path())
@click.argument("labels", type=click.Path(), required=False)
@option("--label-column", metavar="NAME", help="Labels are a column of the logits' CSV; LABELS is then left out.")
@with_options(LOSS_OPTIONS, JUDGE_OPTIONS, OUTPUT_OPTIONS)
def compute(logits: str, labels: str | None, label_column: str | None, **given: Any) -> int:
    """The loss of LOGITS and LABELS, by both paths, with the verdict.

    The files are CSV (with or without a header) or .npy. LABELS holds integers of the logits' shape without the
    class axis, or target probabilities of the logits' full shape.
    """
    if (labels is None) == (label_column is None):
        raise click.UsageError("Give either LABELS or --label-column NAME.")
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
