"""The files that a loss is computed of: LOGITS and LABELS, or one table that holds both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from xentcli.cli.options import option
from xentcli.errors import UsageError
from xentcli.sources.files import check_file, name_elsewhere

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

    @classmethod
    def of(cls, context: click.Context, given: dict[str, Any]) -> Inputs:
        """Take the values of INPUTS out of those given; UsageError unless the labels are given in one way."""
        logits, labels, column = (given.pop(name) for name in ("logits", "labels", "label_column"))
        if labels is not None and context.get_parameter_source("label_column") != ParameterSource.COMMANDLINE:
            column = None  # what is typed wins over a setting
        _check_labels(labels, column, f"{context.command_path} --help")
        for path in filter(None, (logits, labels)):
            check_file(path)
        return cls(logits, labels, column)

    def read(self) -> tuple[Array, Array]:
        """The logits and their target."""
        from xentcli.sources.open import open_array, open_table

        if self.label_column is not None:
            return open_table(self.logits, self.label_column)
        return open_array(self.logits), open_array(str(self.labels))

    def elsewhere(self) -> Inputs:
        """The same as other processes name them; UsageError for what can be read only once."""
        labels = None if self.labels is None else name_elsewhere(self.labels)
        return Inputs(name_elsewhere(self.logits), labels, self.label_column)


def _check_labels(labels: str | None, column: str | None, more: str) -> None:
    ways = "LABELS, or --label-column NAME for a column of the logits' CSV"
    if labels is None and column is None:
        raise UsageError("the labels are missing", expected=ways, hint=more)
    if labels is not None and column is not None:
        found = f"LABELS {labels} and --label-column {column}"
        raise UsageError("the labels are given twice", found=found, expected=ways, hint="leave one of them out")
