"""What goes into a comparison, and where its differences are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from xentcli.cli.command import completed, typed_command
from xentcli.cli.inputs import TABLE_OPTIONS, taken_table
from xentcli.cli.options import Groups, option
from xentcli.cli.output import name_inputs
from xentcli.cli.request import check_formats
from xentcli.errors import UsageError
from xentcli.numbers.given import GIVEN
from xentcli.question.grouping import BYS, ENTRIES
from xentcli.render.registry import FORMATS, PICTURES
from xentcli.sources.files import check_input
from xentcli.sources.named import NamedSides
from xentcli.sources.names import check_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xentcli.numbers.arrays import Array
    from xentcli.numbers.given import Given
    from xentcli.question.grouping import By, Grouping

DTYPES = ("float16", "bfloat16", "float32")  # whose rounding is a floor

READING_OPTIONS = (
    option(
        "--input",
        type=click.Choice(GIVEN),
        default="logits",
        show_default=True,
        help="What the numbers of all sides are; each row of probabilities is divided by its sum.",
    ),
    option(
        "--label-column",
        metavar="NAME",
        help="Where the labels stand: a column of the file of --labels, or, without that, of BASE's table.",
    ),
    *TABLE_OPTIONS,
)
WHERE = "Where the differences sit, and what of them is noise"
WHERE_OPTIONS = (
    option(
        "--group",
        type=Groups(),
        metavar="GROUPS",
        heading=WHERE,
        help="Rows that belong together, for standard errors: N rows each, axis:K of the logits, file (the shards), or "
        "the name of a file with an id for each row.  [default: those of an entry of the first axis]",
    ),
    option(
        "--by",
        type=click.Choice(BYS),
        multiple=True,
        heading=WHERE,
        help="Tell the differences apart by this; repeatable.",
    ),
    option(
        "--floor",
        type=click.Path(),
        metavar="FILE|DTYPE",
        heading=WHERE,
        help="What is noise: a third set of logits, of the base's model on another machine, say; or float16, bfloat16 "
        "or float32, to which both sides are rounded.",
    ),
    option(
        "--reduction",
        type=click.Choice(["mean", "none"]),
        default="mean",
        show_default=True,
        heading=WHERE,
        help="`none` gives every row: to csv, json and npy.",
    ),
)


@dataclass(frozen=True)
class Reading:
    """The files of a comparison, whose names are checked in the first instant; they are read later."""

    sides: NamedSides
    floor: str | None
    grouping: Grouping
    input: Given
    typed: tuple[str, ...] = ()  # the command, for hints

    @classmethod
    def of(cls, context: click.Context, given: dict[str, Any]) -> Reading:
        """Take the values of READING_OPTIONS, --first-classes, --group and --floor out of those given."""
        table = taken_table(context, given)
        names = ("base", "others", "labels", "floor", "input", "label_column", "group")
        base, others, labels, floor, kind, column, group = (given.pop(name) for name in names)
        if labels is not None and context.get_parameter_source("label_column") != ParameterSource.COMMANDLINE:
            column = None  # what is typed wins over a setting
        grouping: Grouping = ENTRIES if group is None else group
        files = [base, *others, *([labels] if labels else []), *([floor] if floor and floor not in DTYPES else [])]
        for name in files:
            check_names(name)
        if grouping.path:
            check_input(grouping.path)
            files.append(grouping.path)
        name_inputs(*files)
        third = None if floor is None or floor in DTYPES else floor
        axis, kept = given["class_axis"], given.pop("first_classes")
        sides = NamedSides(base, others, labels, axis, third, column, table, kept)
        return cls(sides, floor, grouping, kind, typed_command(context))

    def read(self) -> tuple[Array, Array | None, list[Array]]:
        """The base, the labels where there are any, and the other sides, of which a floor's file is the last."""
        from xentcli.sources.pairs import open_sides

        with completed(self.typed):
            return open_sides(self.sides)


def check_rows(forms: Sequence[str], reduction: str, others: int) -> None:
    """UsageError for an array of rows from a run that keeps none, or of several other sides."""
    check_formats(forms, reduction)
    if others > 1 and any(FORMATS[form].is_array for form in forms):
        raise UsageError(
            "an array holds the rows of one other side",
            found=f"{others} others",
            expected="one OTHER; csv has the rows of all",
        )


def drawn_by(by: Iterable[By], forms: Iterable[str], *, in_parts: bool) -> tuple[By, ...]:
    """What differences are told apart by, each once: a page draws them against the confidence, too.

    Partials are put together where the same was asked of all, so that a page of one of them adds nothing.
    """
    drawn: tuple[By, ...] = ("confidence",) if PICTURES in forms and not in_parts else ()
    return tuple(dict.fromkeys((*by, *drawn)))


def check_parts(*, dialect: str | None, claimed: bool) -> None:
    """UsageError for what is asked of all rows, next to a part of them."""
    if dialect is not None:
        raise UsageError(
            "llama.cpp's lines are of all rows, which its own arithmetic reads once more",
            found="--dialect with --shard, --partial or --resume",
            hint="leave one of them out",
        )
    if claimed:
        raise UsageError(
            "a claim is about all rows",
            found="--expect with --shard, --partial or --resume",
            hint="xent merge --expect NAME=VALUE",
        )
