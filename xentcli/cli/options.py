"""The options that commands share, named as torch names them; each is also an environment variable and a setting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from xentcli.render.registry import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

EPILOG = (
    "Every option can also be set by an environment variable (XENT_LABEL_SMOOTHING=0.1) "
    "or in pyproject.toml (label-smoothing = 0.1 under [tool.xent]); the command line wins, then the environment."
)


def split_reports(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Each FORMAT=FILE as a pair, checked as it is read."""
    pairs = [value.partition("=") for value in values]
    for value, (form, _, path) in zip(values, pairs, strict=True):
        if form not in FORMATS or not path:
            message = f"{value!r} is not FORMAT=FILE with FORMAT one of {', '.join(FORMATS)}."
            raise click.BadParameter(message, ctx, param)
    return tuple((form, path) for form, _, path in pairs)


def complete_report(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The formats, each up to its `=`."""
    return [f"{form}=" for form in FORMATS if form.startswith(incomplete)]


class Finite(click.FloatRange):
    """A number within a range; NaN, which is neither below nor above it, and the infinities are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for others."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


def option(*names: str, **settings: Any) -> Decorator:
    """An option that can also be given as XENT_ and its long name in the environment."""
    long_name = next(name for name in names if name.startswith("--"))
    return click.option(*names, envvar="XENT_" + long_name[2:].replace("-", "_").upper(), **settings)


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

REDUCTION_OPTIONS = (
    option(
        "--reduction",
        type=click.Choice(["mean", "sum", "none"]),
        default="mean",
        show_default=True,
        help="`none` prints the loss of each sample and no total.",
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
        type=click.IntRange(1, 1000),
        metavar="INT",
        help="Certified digits to print.  [default: as many as are certain]",
    ),
    option("--strict", is_flag=True, help="Findings of severity `warning` also give exit code 1."),
    option("--expect", metavar="VALUE", help="A claimed loss, as printed somewhere, to check."),
)

WORKER_OPTIONS = (
    option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="INT",
        help="Local processes that compute an input of more than 64 MiB, instead of threads.",
    ),
    option(
        "--cluster",
        metavar="ADDRESS",
        help="A dask scheduler whose workers compute such an input: tcp://HOST:PORT, or its scheduler.json.",
    ),
    option(
        "--cluster-timeout",
        type=Finite(min=0, min_open=True),
        metavar="SECONDS",
        default=30.0,
        show_default=True,
        help="How long the cluster may be without its scheduler or without workers.",
    ),
)

OUTPUT_OPTIONS = (
    option(
        "-f",
        "--format",
        "form",
        type=click.Choice(list(FORMATS)),
        default="table",
        show_default=True,
        help="What to print.",
    ),
    click.option("--json", is_flag=True, help="Short for --format json."),
    option("-o", "--output", type=click.Path(), metavar="FILE", help="Print to a file, whole or not at all."),
    option(
        "--report",
        "reports",
        callback=split_reports,
        shell_complete=complete_report,
        multiple=True,
        metavar="FORMAT=FILE",
        help="One more report of the same run; repeatable.",
    ),
    option(
        "--rows",
        type=click.IntRange(min=0),
        metavar="INT",
        default=20,
        show_default=True,
        help="Rows shown in tables; the worst rows are always among them.",
    ),
    option("-q", "--quiet", count=True, help="The verdict line only; -qq prints nothing."),
    option("--exit-zero", is_flag=True, help="Exit with 0 where it would be 1."),
)


def with_options(*groups: tuple[Decorator, ...]) -> Decorator:
    """Give a command these groups of options, in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed([each for group in groups for each in group]):
            command = decorator(command)
        return command

    return decorate
