"""`xent random`: the loss of generated data."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import Command, completed, typed_command
from xentcli.cli.explaining import explaining
from xentcli.cli.options import (
    EPILOG,
    JUDGE_OPTIONS,
    LOSS_OPTIONS,
    METRIC_OPTIONS,
    OUTPUT_OPTIONS,
    REDUCTION_OPTIONS,
    RUNNING_OPTIONS,
    TRANSFORM_OPTIONS,
    Finite,
    Whole,
    option,
    with_options,
)
from xentcli.cli.output import WholeFile, made_folder
from xentcli.cli.request import Request
from xentcli.cli.terminal import remark, spelled
from xentcli.cli.watch import Watch
from xentcli.sources.saving import ROLES, Target, targets

if TYPE_CHECKING:
    from xentcli.records.report import Report


TEXT = "csv"  # the format whose columns have to be told apart
FLOAT_BYTES = 4  # of a drawn logit
EXAMPLES = (
    "xent random --samples 4 --classes 10 --seed 0",
    "xent random --samples 1000 --classes 50 --seed 0 --dtype bfloat16 --reduction sum",
    "xent random --samples 4 --classes 10 --seed 0 --save data",
)


@click.command(cls=Command, examples=EXAMPLES, epilog=EPILOG, short_help="The same on generated data.")
@option("--samples", type=Whole(min=0), metavar="INT", required=True, help="Number of samples.")
@option("--classes", type=Whole(min=1), metavar="INT", required=True, help="Number of classes.")
@option("--seed", type=Whole(0, 2**63 - 1), metavar="INT", help="Same seed, same data.  [default: chosen]")
@option(
    "--scale", type=Finite(), metavar="FLOAT", default=1.0, show_default=True, help="Standard deviation of the logits."
)
@option(
    "--save",
    type=click.Path(),
    metavar="PATH",
    help="Write the data: logits.npy and labels.npy in a folder, or a file of `xent formats`, by its ending.",
)
@with_options(LOSS_OPTIONS, TRANSFORM_OPTIONS, REDUCTION_OPTIONS, METRIC_OPTIONS)
@with_options(JUDGE_OPTIONS, OUTPUT_OPTIONS, RUNNING_OPTIONS)
@click.pass_context
def random(  # noqa: PLR0917 - as click gives them
    context: click.Context,
    /,
    samples: int,
    classes: int,
    seed: int | None,
    scale: float,
    save: str | None,
    **given: Any,
) -> int:
    """The loss of random logits and labels, by both paths, with the verdict.

    The data are those of torch.manual_seed(SEED); torch.randn(N, C); torch.randint(C, (N,)).
    """
    with completed(typed_command(context)):
        wanted = [] if save is None else targets(save)
    command = _explaining(context, given, wanted)
    request = Request.of(given)
    quiet = request.presentation.quiet

    def make_report() -> Report:
        with ExitStack() as stack, Watch(quiet=quiet) as watch:
            files = _open_files(stack, wanted)
            watch.announce("drawing the data", samples * classes * FLOAT_BYTES)
            from xentcli.running.engine import run
            from xentcli.sources.generated import choose_seed, generate

            chosen = choose_seed() if seed is None else seed
            pair = generate(samples, classes, chosen, scale, watch)
            for file, target in files:
                target.save(file, dict(zip(ROLES, pair, strict=True)))
            problem = request.problem(pair)
            return run(problem, request.policy, seed=chosen, threads=request.threads, progress=watch)

    code = replace(request.presentation, explaining=command).present(make_report)
    if wanted and not quiet:
        remark(
            f"note: written: {', '.join(f'{target.path} ({spelled(target.path.stat().st_size)})' for target in wanted)}"
        )
    return code


def _written(target: Target) -> str:
    return f"{target.path} ({spelled(target.path.stat().st_size)})"


def _explaining(context: click.Context, given: dict[str, Any], wanted: list[Target]) -> str:
    """What explains a row of the saved data; nothing where they go."""
    if not wanted:
        return ""
    names = [str(target.path) for target in wanted]
    command = explaining(context, given | {"logits": names[0], "labels": names[1] if names[1:] else None})
    return f"{command} --label-column label" if wanted[0].form.name == TEXT else command


def _open_files(stack: ExitStack, wanted: list[Target]) -> list[tuple[WholeFile, Target]]:
    """The files that `--save` writes, whole or not at all."""
    if wanted:
        stack.enter_context(made_folder(wanted[0].path.parent))
    return [(stack.enter_context(WholeFile(target.path)), target) for target in wanted]
