"""The files that a loss is computed of: LOGITS and LABELS, or one file that holds both."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from xentcli.cli.codes import complete
from xentcli.cli.command import completed, typed_command
from xentcli.cli.help import Argument
from xentcli.cli.options import option
from xentcli.cli.output import name_inputs
from xentcli.errors import UsageError, without_secrets
from xentcli.sources.files import STANDARD_INPUT, first_bytes, is_address, split_key
from xentcli.sources.formats import recognised
from xentcli.sources.named import NamedInputs
from xentcli.sources.names import check_counts, check_names, is_elsewhere, local_names, name_elsewhere
from xentcli.sources.packed import packing_of
from xentcli.sources.request import WAYS
from xentcli.sources.tabular import DECIMALS, Tabular

if TYPE_CHECKING:
    from xentcli.cli.options import Decorator
    from xentcli.numbers.arrays import Array


TABLES = "Tables: CSV, Parquet, Arrow and JSON"
TABLE_OPTIONS = (
    option(
        "--columns",
        metavar="NAMES",
        heading=TABLES,
        help="The columns of LOGITS that are the classes: cat,dog or 'logit_*' or 3:13.  [default: all]",
    ),
    option("--drop", metavar="NAMES", heading=TABLES, help="Columns that are no classes: id,pred or 'meta_*' or 0:2."),
    option(
        "--classes",
        metavar="NAMES",
        heading=TABLES,
        help="The names of the classes in their order, cat,dog,bird, or a file with one a line; labels may be names.",
    ),
    option(
        "--join",
        metavar="NAME",
        heading=TABLES,
        help="Put the labels in the order of the logits by this column of both.",
    ),
    option(
        "--decimal",
        type=click.Choice(DECIMALS),
        heading=TABLES,
        help="What stands before the fraction of a number in a CSV.  [default: a point, or what fits]",
    ),
)


def _inputs(about: str, **settings: Any) -> tuple[Decorator, ...]:
    """LOGITS and LABELS."""
    return (
        click.argument("logits", cls=Argument, type=click.Path(allow_dash=True), about=about, **settings),
        click.argument(
            "labels",
            cls=Argument,
            type=click.Path(allow_dash=True),
            required=False,
            about="A file of class indices, or of target probabilities.",
        ),
        option(
            "--label-column",
            metavar="NAME",
            help="Where the labels stand: a column of LABELS, or, where that is left out, of the logits' table.",
        ),
        option("--key", metavar="NAME", help="Which array of LOGITS, where it holds several; short for LOGITS:NAME."),
        *TABLE_OPTIONS,
    )


LOGITS = "A file with a number for each sample and class"
INPUTS = _inputs(f"{LOGITS}.")
FILES = ("logits", "labels", "head", "bias")  # the fields that name some
NAMED_INPUTS = _inputs(f"{LOGITS}; or a word, or a code.", shell_complete=complete)


@dataclass(frozen=True)
class Inputs(NamedInputs):
    """The names of the files, checked in the first instant; they are read later."""

    typed: tuple[str, ...] = ()  # the command, for hints

    @classmethod
    def of(cls, context: click.Context, given: dict[str, Any]) -> Inputs:
        """Take the values of INPUTS out of those given; UsageError where the labels are not given at all."""
        table = taken_table(context, given)
        logits, labels, column, key = (given.pop(name) for name in ("logits", "labels", "label_column", "key"))
        if labels is not None and context.get_parameter_source("label_column") != ParameterSource.COMMANDLINE:
            column = None  # what is typed wins over a setting
        _check_names(logits, labels, key)
        name_inputs(logits, labels)
        if labels is None and column is None and not _may_hold_both(logits):
            hint = f"{context.command_path} {quote(logits)} LABELS"
            raise UsageError("the labels are missing", expected=WAYS, hint=hint)
        head, bias = given.get("head"), given.get("bias")
        if head is not None and table.classes:
            raise UsageError("hidden states have no columns that are classes", found="--classes", hint="leave it out")
        read = (column, key, given["class_axis"], table, given["binary"], head, bias)
        return cls(logits, labels, *read, typed_command(context))

    def read(self) -> tuple[Array, Array]:
        """The logits and their target."""
        from xentcli.sources.pairs import open_named
        from xentcli.sources.stored import read_ahead

        with completed(self.typed):
            logits, target = open_named(self)
        read_ahead(logits)
        read_ahead(target)
        return logits, target

    def saved(self) -> NamedInputs:
        """The names as a file may hold them."""
        named = {each.name: getattr(self, each.name) for each in fields(NamedInputs)}
        secret = {name: without_secrets(named[name]) for name in FILES if named[name] is not None}
        return NamedInputs(**named | secret)

    def for_others(self) -> Inputs:
        """The same as other processes name them; UsageError for what can be read only once."""
        named: dict[str, Any] = {name: getattr(self, name) for name in FILES}
        others: dict[str, Any] = {name: name_elsewhere(file) for name, file in named.items() if file is not None}
        return replace(self, **others)


def taken_table(context: click.Context, given: dict[str, Any]) -> Tabular:
    """Take the values of TABLE_OPTIONS out of those given."""
    is_set = context.get_parameter_source("classes") == ParameterSource.ENVIRONMENT
    if (given["classes"] or "").isdigit() and is_set:
        given["classes"] = None  # how many `xent random` shall draw
    return Tabular.of(**{name: given.pop(name) for name in ("columns", "drop", "classes", "join", "decimal")})


def _check_names(logits: str, labels: str | None, key: str | None) -> None:
    """Refuse names that no file has, and one array or stream that is named for two things."""
    files = check_names(logits)
    if labels is not None:
        check_counts(files, check_names(labels), f"{logits} and {labels}")
    own_key = split_key(logits)[1]
    if own_key is not None and key is not None:
        raise UsageError(
            "the array is named twice", found=f"LOGITS {logits} and --key {key}", hint="leave one of them out"
        )
    if labels is not None and split_key(logits)[0] == split_key(labels)[0] == STANDARD_INPUT:
        raise UsageError(
            "standard input comes only once",
            found="- for LOGITS and for LABELS",
            hint="leave LABELS out if it holds both",
        )


def _may_hold_both(name: str) -> bool:
    """Whether the labels may be in this file too; what comes only once is not looked at yet."""
    if is_elsewhere(name) or is_address(first := local_names(name).files[0]):
        return True
    head = first_bytes(split_key(first)[0])
    return not head or packing_of(head) is not None or recognised(head).holds_both
