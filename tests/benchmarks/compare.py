"""How fast xent is, next to everybody else: `python tests/benchmarks/compare.py`.

Absolute times say more about the machine than about the program: here they are shares of another's in the same round.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
from chart import picture
from children import ROOT, run, xent
from contestants import DIGITS
from inputs import check_space
from markdown import placed
from parts import KEPT, PARTS, SCALING, Stage, sections
from scaling import told
from sizes import FULL, QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sizes import Sizes

PAGE, PICTURE = ROOT / "xentcli" / "docs" / "speed.md", Path(__file__).with_name("scaling.svg")
SAVED = (*KEPT, SCALING)


def compare(
    sizes: Sizes, parts: Collection[str], stage: Stage, show: Callable[[str], object]
) -> tuple[list[str], str | None]:
    """Run the parts and show each as it ends; the sections that a page keeps, and the picture if it was asked for."""
    check_space(stage.folder, sizes.most_bytes)
    run(xent("compute", *DIGITS))  # compiles what is not compiled yet, which nobody's time shall hold
    kept: list[str] = []
    for part in (part for part in PARTS if part in parts and part != SCALING):
        for section in sections(part, sizes, stage):
            show(f"{section.shown}\n")
            kept += [section.kept] if part in KEPT and section.kept else []
    if SCALING not in parts:
        return kept, None
    curves = [stage.curve(sweep) for sweep in sizes.sweeps]
    for each in curves:
        show(f"{told(each)}\n")
    return kept, picture(curves)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Interleaved runs of everybody.")
@click.option("--quick", is_flag=True, help="Tens of MB instead of gigabytes.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Some parts; repeatable.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=tempfile.gettempdir(),
    show_default=True,
    help="Where the data are made; they are deleted at the end.",
)
@click.option(
    "--save",
    is_flag=True,
    help="Put the sections into the page on speed, each in the place of the one with its title, and the picture beside "
    "this program; with --only those parts alone.",
)
def main(rounds: int, quick: bool, only: tuple[str, ...], folder: Path, save: bool) -> None:
    """Print what xent takes next to others, and what it is meant to take."""
    if save:
        _check_saving(quick, only)
    if quick:
        click.echo("Quick: the goals are for the full sizes.\n")
    stage = Stage(rounds, folder, lambda line: click.echo(line, err=True))
    kept, svg = compare(QUICK if quick else FULL, only or PARTS, stage, click.echo)
    if save:
        _save(kept, svg)


def _check_saving(quick: bool, only: tuple[str, ...]) -> None:
    """What cannot be saved is told of now, and not after minutes."""
    if quick:
        raise click.UsageError("--save shows full sizes: it does not go with --quick")
    homeless = [part for part in only if part not in SAVED]
    if homeless:
        raise click.UsageError(
            f"--save has no place for {' and '.join(homeless)}: the page shows {', '.join(SAVED)}; leave --save out"
        )
    placed(PAGE.read_text(), [])


def _save(kept: list[str], svg: str | None) -> None:
    if kept:
        PAGE.write_text(placed(PAGE.read_text(), kept))
    if svg is not None:
        PICTURE.write_text(svg)


if __name__ == "__main__":
    main()
