"""The options that commands share, named as torch names them; each is also an environment variable and a setting."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.help import Option
from xentcli.errors import UsageError
from xentcli.numbers.given import GIVEN
from xentcli.question.grouping import BYS, Grouping
from xentcli.question.share import Share
from xentcli.render.registry import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    AnyGrouping = click.ParamType[Grouping]
    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
    AnyShare = click.ParamType[Share]
else:
    AnyShare = AnyGrouping = click.ParamType  # which takes no parameter before click 8.4

EPILOG = (
    "Every option can also be set by an environment variable (XENT_LABEL_SMOOTHING=0.1) or, but for those of every "
    "command, in pyproject.toml (label-smoothing = 0.1 under [tool.xent]); the command line wins, then the environment."
)


ROWS = 5  # of tables
RECORDED_ROWS = 20  # that a report has at least, for other formats
ALL_ROWS = 1 << 53  # more than any file has


@dataclass(frozen=True)
class ReportFiles:
    """What reads FORMAT=FILE: each as a pair."""

    forms: Sequence[str]

    def __call__(
        self, ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
    ) -> tuple[tuple[str, str], ...]:
        """The pairs, checked as they are read."""
        pairs = [value.partition("=") for value in values]
        for value, (form, _, path) in zip(values, pairs, strict=True):
            if form not in self.forms or not path:
                message = f"{value!r} is not FORMAT=FILE with FORMAT one of {', '.join(self.forms)}."
                raise click.BadParameter(message, ctx, param)
        return tuple((form, path) for form, _, path in pairs)

    def complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        """The formats, each up to its `=`."""
        return [f"{form}=" for form in self.forms if form.startswith(incomplete)]


class Whole(click.IntRange):
    """A whole number within a range."""

    name = "whole number"


class Finite(click.FloatRange):
    """A number within a range; NaN, which is neither below nor above it, and the infinities are none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for others."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class Size(click.IntRange):
    """A number of bytes: the units K, KiB, M, ... are powers of 1,024, and KB, MB, ... of 1,000, as dd has them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a usage error for anything else."""
        match = re.fullmatch(r"(\d{1,18}) ?(?:([KMGT])(i?B)?|B)?", str(value), re.IGNORECASE | re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not a size such as 4MiB, 512K or 8388608.", param, ctx)
        power = " KMGT".index((match[2] or " ").upper())
        unit = 1000 if (match[3] or "").upper() == "B" else 1024
        return int(super().convert(int(match[1]) * unit**power, param, ctx))


class ShareType(AnyShare):
    """One of several shares, as "3/16"."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Share:
        """The share; a usage error for what is none."""
        try:
            return value if isinstance(value, Share) else Share.parse(value)
        except UsageError as error:
            self.fail(f"{error.what}: {error.details['found']}, expected {error.details['expected']}.", param, ctx)


class RowCount(click.IntRange):
    """So many rows, or all of them."""

    name = "number of rows"

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; more than any file has for all."""
        return ALL_ROWS if value == "all" else int(super().convert(value, param, ctx))


class Groups(AnyGrouping):
    """Rows that belong together: N, axis:K, file, or the name of a file."""

    name = "groups"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Grouping:
        """What it says; a usage error for no rows."""
        try:
            return value if isinstance(value, Grouping) else Grouping.parse(str(value))
        except UsageError as error:
            self.fail(f"{error.what}: {error.details['found']}, expected {error.details['expected']}.", param, ctx)


def option(*names: str, **settings: Any) -> Decorator:
    """An option that can also be given as XENT_ and its long name in the environment."""
    long_name = next(name for name in names if name.startswith("--"))
    variable = "XENT_" + re.sub("[-.]", "_", long_name[2:]).upper()
    return click.option(*names, cls=Option, envvar=variable, **settings)


# what a file holds; generated data are logits
GIVEN_OPTIONS = (
    option(
        "--input",
        type=click.Choice(GIVEN),
        default="logits",
        show_default=True,
        help="What the numbers of LOGITS are; the loss of others is that of nll_loss, and nothing is normalised.",
    ),
    option(
        "--binary",
        is_flag=True,
        help="One logit z a sample, as the logits (0, z): the loss of binary_cross_entropy_with_logits.",
    ),
    option(
        "--pos-weight",
        type=Finite(),
        metavar="FLOAT",
        help="What label 1 weighs, with --binary; the mean is over the samples all the same.  [default: 1]",
    ),
    option(
        "--shift",
        is_flag=True,
        help="LABELS are the inputs of a language model: logits[:, :-1] against labels[:, 1:], classes last.",
    ),
)

LOSS_OPTIONS = (
    option("--weight", type=click.Path(), metavar="FILE", help="One number a class."),
    option(
        "--ignore-index",
        type=int,
        metavar="INT",
        default=-100,
        show_default=True,
        help="Labels equal to it do not count.",
    ),
    option(
        "--label-smoothing",
        type=Finite(0, 1),
        metavar="FLOAT",
        default=0.0,
        show_default=True,
        help="Share of the target that is spread over all classes.",
    ),
    option(
        "--class-axis",
        type=int,
        metavar="INT",
        help="Any axis; -1 for language-model layout.  [default: 1; 0 for one dimension]",
    ),
    option(
        "--dtype",
        type=click.Choice(["float64", "float32", "bfloat16", "float16"]),
        help="Cast to this before computing.  [default: the file's]",
    ),
    option(
        "--device",
        type=click.Choice(["cpu", "cuda", "mps"]),
        default="cpu",
        show_default=True,
        help="Where both paths compute.",
    ),
)

HEAD_OPTIONS = (
    option(
        "--head",
        type=click.Path(),
        metavar="FILE",
        help="LOGITS are hidden states, and the logits their product with this: classes x width, as nn.Linear.weight "
        "(model.safetensors:lm_head.weight).",
    ),
    option("--bias", type=click.Path(), metavar="FILE", help="Added to the product, one number a class; with --head."),
)

TRANSFORM_OPTIONS = (
    option(
        "--temperature",
        type=Finite(min=0, min_open=True),
        metavar="T",
        help="Divide the logits by T first.  [default: not done]",
    ),
    option(
        "--softcap",
        type=Finite(min=0, min_open=True),
        metavar="CAP",
        help="Then take CAP * tanh(logits / CAP) of them.  [default: not done]",
    ),
    option(
        "--z-loss",
        type=Finite(min=0, min_open=True),
        metavar="Z",
        help="Add Z * logsumexp(logits)**2 to the loss of each sample that counts.  [default: not done]",
    ),
)

REDUCTION_OPTIONS = (
    option(
        "--reduction",
        type=click.Choice(["mean", "sum", "none"]),
        default="mean",
        show_default=True,
        help="`none` prints the loss of each sample and no total.",
    ),
)


def _bytes(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | str | None:
    """A number of bytes, or the name of a file."""
    return int(value) if value and value.isdecimal() and value.isascii() and len(value) < 19 else value


BITS_CLAIM_OPTION = option(
    "--expect-bpb",
    metavar="VALUE",
    help="Claimed bits per byte, as printed somewhere, to check; with --bytes.",
)
METRIC_OPTIONS = (
    option(
        "--metrics",
        is_flag=True,
        help="Calibration errors, Brier score, entropy, top 5, percentiles and more, certified, beside the loss.",
    ),
    option(
        "--bytes",
        callback=_bytes,
        metavar="N|FILE",
        help="Bytes of the text, or a file with those of each row: bits per byte, too.",
    ),
    BITS_CLAIM_OPTION,
    option(
        "--calibrate",
        is_flag=True,
        help="The temperature that fits best, too, of more than a million logits: some ten passes more.",
    ),
    option(
        "--worst",
        type=Whole(min=0),
        metavar="N",
        help="The rows with the highest losses, and what the model says instead; with --metrics.  [default: 5]",
    ),
    option(
        "--by",
        type=click.Choice(BYS),
        multiple=True,
        help="Loss and accuracy of each part of the rows that this tells apart, with --metrics; repeatable.",
    ),
    option(
        "--group",
        type=Groups(),
        metavar="GROUPS",
        help="Rows that belong together, for standard errors: N rows each, axis:K of the logits, file (the shards), or "
        "the name of a file with an id for each row.  [default, with --by: those of an entry of the first axis]",
    ),
)

CLAIM_OPTIONS = (
    option("--strict", is_flag=True, help="Findings of severity `warning` also give exit code 1."),
    option("--expect", metavar="VALUE", help="A claimed loss, as printed somewhere, to check."),
)
ROW_CLAIM_OPTIONS = (
    option(
        "--expect-row",
        multiple=True,
        metavar="ROW=VALUE",
        help="A claimed loss of one row; repeatable.  With --reduction none, --expect is a file of one a sample.",
    ),
)

JUDGE_OPTIONS = (
    option("--rtol", type=Finite(min=0), metavar="FLOAT", help="Relative tolerance.  [default: derived]"),
    option(
        "--atol",
        type=Finite(min=0),
        metavar="FLOAT",
        help="Absolute tolerance; with only one of the two given, the other is 0.  [default: derived]",
    ),
    option(
        "--reference",
        type=click.Choice(["fast", "exact", "off"]),
        default="fast",
        show_default=True,
        help="How the true value is enclosed; `off` compares the two paths alone.",
    ),
    option(
        "--digits",
        type=Whole(1, 1000),
        metavar="INT",
        help="Certified digits to print.  [default: as many as are certain]",
    ),
    *CLAIM_OPTIONS,
)

PARTIAL_OPTION = option(
    "--partial", type=click.Path(), metavar="FILE", help="Write the exact facts of these rows, for `xent merge`."
)

PART_OPTIONS = (
    option(
        "--shard",
        type=ShareType(),
        metavar="K/N",
        help="Compute the K-th of N shares of the rows alone; totals are exact sums, rounded once, as with both below.",
    ),
    PARTIAL_OPTION,
    option(
        "--resume",
        type=click.Path(),
        metavar="FILE",
        help="Save the facts there every few seconds, and go on from what an interrupted run has saved.",
    ),
)


def report_option(forms: Sequence[str]) -> Decorator:
    """More reports of the same run, in these formats."""
    return option(
        "--report",
        "reports",
        callback=ReportFiles(forms),
        shell_complete=ReportFiles(forms).complete,
        multiple=True,
        metavar="FORMAT=FILE",
        help="One more report of the same run; repeatable.",
    )


def output_options(forms: Sequence[str]) -> tuple[Decorator, ...]:
    """What to print in which of these formats, where, and with how many rows."""
    return (
        option(
            "-f",
            "--format",
            "form",
            type=click.Choice(forms),
            default="table",
            show_default=True,
            help="What to print.",
        ),
        click.option("--json", is_flag=True, help="Short for --format json."),
        option("-o", "--output", type=click.Path(), metavar="FILE", help="Print to a file, whole or not at all."),
        report_option(forms),
        option(
            "--rows",
            type=RowCount(),
            metavar="N|all",
            help=f"Rows shown in tables; from 4 on, the worst rows are always among them.  [default: {ROWS}]",
        ),
        option("-q", "--quiet", count=True, help="The verdict line only; -qq prints nothing."),
        option("--exit-zero", is_flag=True, help="Exit with 0 where it would be 1."),
    )


OUTPUT_OPTIONS = output_options(list(FORMATS))

RUNNING = "Running, for experts"
RUNNING_OPTIONS = (
    option(
        "--threads",
        type=Whole(1, 1024),
        metavar="INT",
        heading=RUNNING,
        help="Blocks computed at once; the report does not depend on it.  [default: as many as torch has threads]",
    ),
    option(
        "--block-bytes",
        type=Size(min=1),
        metavar="SIZE",
        heading=RUNNING,
        help="Logits of a block: 512K, 4MiB or 8388608; the report does not depend on it.  [default: 32MiB]",
    ),
)

WORKER_OPTIONS = (
    option(
        "--jobs",
        type=Whole(min=1),
        metavar="INT",
        heading=RUNNING,
        help="Local processes that compute an input of more than 64 MiB, instead of threads.",
    ),
    option(
        "--jobs-timeout",
        type=Finite(min=0, min_open=True),
        metavar="SECONDS",
        default=30.0,
        show_default=True,
        heading=RUNNING,
        help="How long a local process may be stopped before another takes its place.",
    ),
    option(
        "--cluster",
        metavar="ADDRESS",
        heading=RUNNING,
        help="A dask scheduler whose workers compute such an input: tcp://HOST:PORT, or its scheduler.json.",
    ),
    option(
        "--cluster-timeout",
        type=Finite(min=0, min_open=True),
        metavar="SECONDS",
        default=30.0,
        show_default=True,
        heading=RUNNING,
        help="How long the cluster may be without its scheduler or without workers.",
    ),
)


def with_options(*groups: tuple[Decorator, ...]) -> Decorator:
    """Give a command these groups of options, in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed([each for group in groups for each in group]):
            command = decorator(command)
        return command

    return decorate
