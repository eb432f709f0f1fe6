"""`xent random`: the loss of generated data."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.options import EPILOG, JUDGE_OPTIONS, LOSS_OPTIONS, OUTPUT_OPTIONS, option, with_options
from xentcli.cli.output import WholeFile
from xentcli.cli.request import Request
from xentcli.errors import UsageError
from xentcli.sources.files import check_file

if TYPE_CHECKING:
    from xentcli.records import Report


@click.command(epilog=EPILOG)
@option("--samples", type=click.IntRange(min=0), metavar="INT", required=True, help="Number of samples.")
@option("--classes", type=click.IntRange(min=1), metavar="INT", required=True, help="Number of classes.")
@option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="INT", help="Same seed, same data.  [default: chosen]")
@option(
    "--scale", type=float, metavar="FLOAT", default=1.0, show_default=True, help="Standard deviation of the logits."
)
@option("--save", type=click.Path(), metavar="DIR", help="Write logits.npy and labels.npy there.")
@with_options(LOSS_OPTIONS, JUDGE_OPTIONS, OUTPUT_OPTIONS)
def random(samples: int, classes: int, seed: int | None, scale: float, save: str | None, **given: Any) -> int:
    """The loss of random logits and labels, by both paths, with the verdict.

    The data are those of torch.manual_seed(SEED); torch.randn(N, C); torch.randint(C, (N,)).
    """
    request = Request.of(given)
    if request.weight:
        check_file(request.weight)
    with ExitStack() as stack:
        names = [Path(save, f"{name}.npy") for name in ("logits", "labels")] if save else []
        if save:
            _make_folder(Path(save))
        files = [stack.enter_context(WholeFile(name)) for name in names]

        def make_report() -> Report:
            import numpy as np

            from xentcli.engine import run
            from xentcli.sources.generated import choose_seed, generate

            chosen = choose_seed() if seed is None else seed
            pair = generate(samples, classes, chosen, scale)
            for file, array in zip(files, pair, strict=False):
                np.save(file, array.values)
            return run(request.problem(*pair), request.policy, seed=chosen)

        return request.presentation.present(make_report)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("the folder cannot be made", at=str(path), found=error.strerror or str(error)) from error
