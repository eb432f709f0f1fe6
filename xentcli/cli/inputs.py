"""The files that a loss is computed of: LOGITS and LABELS, or one table that holds both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from xentcli.cli.options import option
from xentcli.errors import UsageError
from xentcli.sources.names import check_counts, check_names

if TYPE_CHECKING:
    from xentcli.arrays import Array

INPUTS = (
    click.argument("logits", type=click.Path()),
    click.argument("labels", type=click.Path(), required=False),
    option("--label-column", metavar="NAME", help="Labels are a column of the logits' CSV; LABELS is then left out."),
)


@dataclass(frozen=True)
class Inputs:
    """The names of the files, checked in the first instant; they are read later."""

    logits: str
    labels: str | None
    label_column: str | None
    class_axis: int | None  # which tells along which axis several files are joined

    @classmethod
    def of(cls, context: click.Context, given: dict[str, Any]) -> Inputs:
        """Take the values of INPUTS out of those given; UsageError unless the labels are given in one way."""
        logits, labels, column = (given.pop(name) for name in ("logits", "labels", "label_column"))
        if labels is not None and context.get_parameter_source("label_column") != ParameterSource.COMMANDLINE:
            column = None  # what is typed wins over a setting
        _check_labels(labels, column, f"{context.command_path} --help")
        if column is None:
            check_counts(check_names(logits), check_names(labels), f"{logits} and {labels}")
        else:
            check_names(logits)
        return cls(logits, labels, column, given["class_axis"])

    def read(self) -> tuple[Array, Array]:
        """The logits and their target."""
        from xentcli.sources.pairs import open_inputs

        return open_inputs(self.logits, self.labels, self.label_column, self.class_axis)


def _check_labels(labels: str | None, column: str | None, more: str) -> None:
    ways = "LABELS, or --label-column NAME for a column of the logits' CSV"
    if labels is None and column is None:
        raise UsageError("the labels are missing", expected=ways, hint=more)
    if labels is not None and column is not None:
        found = f"LABELS {labels} and --label-column {column}"
        raise UsageError("the labels are given twice", found=found, expected=ways, hint="leave one of them out")
