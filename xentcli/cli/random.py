"""`xent random`: the loss of generated data."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.command import Command
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
    option,
    with_options,
)
from xentcli.cli.output import WholeFile, made_folder
from xentcli.cli.request import Request
from xentcli.cli.watch import Watch
from xentcli.records.progress import Progress
from xentcli.sources.saving import ROLES, Target, targets

if TYPE_CHECKING:
    from xentcli.records.report import Report


EXAMPLES = (
    "xent random --samples 4 --classes 10 --seed 0",
    "xent random --samples 1000 --classes 50 --seed 0 --dtype bfloat16 --reduction sum",
    "xent random --samples 4 --classes 10 --seed 0 --save data",
)


@click.command(cls=Command, examples=EXAMPLES, epilog=EPILOG, short_help="The same on generated data.")
@option("--samples", type=click.IntRange(min=0), metavar="INT", required=True, help="Number of samples.")
@option("--classes", type=click.IntRange(min=1), metavar="INT", required=True, help="Number of classes.")
@option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="INT", help="Same seed, same data.  [default: chosen]")
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
def random(samples: int, classes: int, seed: int | None, scale: float, save: str | None, **given: Any) -> int:
    """The loss of random logits and labels, by both paths, with the verdict.

    The data are those of torch.manual_seed(SEED); torch.randn(N, C); torch.randint(C, (N,)).
    """
    request = Request.of(given)

    def make_report() -> Report:
        with ExitStack() as stack, Watch(quiet=request.presentation.quiet) as watch:
            files = [] if save is None else _open_files(stack, targets(save))
            from xentcli.running.engine import run
            from xentcli.sources.generated import choose_seed, generate

            chosen = choose_seed() if seed is None else seed
            watch(Progress("drawing the data"))
            pair = generate(samples, classes, chosen, scale)
            for file, target in files:
                target.save(file, dict(zip(ROLES, pair, strict=True)))
            problem = request.problem(pair)
            return run(problem, request.policy, seed=chosen, threads=request.threads, progress=watch)

    return request.presentation.present(make_report)


def _open_files(stack: ExitStack, wanted: list[Target]) -> list[tuple[WholeFile, Target]]:
    """The files that `--save` writes, whole or not at all."""
    stack.enter_context(made_folder(wanted[0].path.parent))
    return [(stack.enter_context(WholeFile(target.path)), target) for target in wanted]
