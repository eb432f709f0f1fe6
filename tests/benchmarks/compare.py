"""How fast xent is, next to everybody else: `python tests/benchmarks/compare.py`.

Absolute times say more about the machine than about the program: here they are shares of another's in the same round.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from chart import picture
from children import ROOT, has_device, run, xent
from contestants import DIGITS, enclosure, gpu, metrics, pair, start, tall, text, wide
from inputs import check_space, made, paired
from markdown import conditions, into, section
from race import race
from scaling import curve, told
from sizes import FULL, QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from contestants import Contestant
    from inputs import Files, Shape
    from race import Result
    from scaling import Curve, Sweep
    from sizes import Sizes

PAGE, PICTURE = ROOT / "xentcli" / "docs" / "speed.md", Path(__file__).with_name("scaling.svg")
STORED, STARTING, GPU, SCALING = ("wide", "tall", "text", "pair", "metrics"), ("start", "enclosure"), "gpu", "scaling"
PARTS = (*STORED, *STARTING, GPU, SCALING)
NO_DEVICE = "**On a CUDA device.** Not run: torch finds none here."


@dataclass(frozen=True)
class Stage:
    """How many rounds there are, where the data lie, and who is told."""

    rounds: int
    folder: Path
    say: Callable[[str], object]

    def stored(self, shape: Shape, contestants: Callable[[Files], list[Contestant]], asked: str = "") -> Result:
        with made(shape, self.folder) as files:
            kind = "CSV" if shape.is_text else "float32 `.npy`"
            title = f"{asked}{shape} {kind}, {files.bytes / 1e9:.2g} GB"
            return race(title, contestants(files), self.rounds, files.bytes, self.say)

    def pair(self, shape: Shape) -> Result:
        with paired(shape, self.folder) as files:
            title = f"Two of {shape} float32 `.npy`, {2 * files.bytes / 1e9:.2g} GB"
            return race(title, pair(files), self.rounds, 2 * files.bytes, self.say)

    def light(self, title: str, contestants: Sequence[Contestant]) -> Result:
        """Without data on the disk."""
        return race(title, contestants, self.rounds, 0, self.say)

    def curve(self, sweep: Sweep) -> Curve:
        return curve(sweep, self.rounds, self.folder, self.say)


def results(part: str, sizes: Sizes, stage: Stage) -> list[Result]:
    """The races of one part."""
    races: dict[str, Callable[[], list[Result]]] = {
        "wide": lambda: [stage.stored(sizes.wide, wide)],
        "tall": lambda: [stage.stored(sizes.tall, tall)],
        "text": lambda: [stage.stored(sizes.text, text)],
        "pair": lambda: [stage.pair(sizes.pair)],
        "metrics": lambda: [stage.stored(shape, metrics, "`--metrics` of ") for shape in (sizes.wide, sizes.tall)],
        "start": lambda: [stage.light("Starting", each) for each in start()],
        GPU: lambda: [stage.stored(sizes.wide, gpu)],
        "enclosure": lambda: [stage.light("The certified pass", enclosure(*each)) for each in sizes.enclosures],
    }  # fmt: skip
    return races[part]()


def compare(sizes: Sizes, parts: Collection[str], stage: Stage, show: Callable[[str], object]) -> tuple[str, str]:
    """Run the parts and show each as it ends; the Markdown of the stored ones, and the picture of the curves."""
    check_space(stage.folder, sizes.most_bytes)
    run(xent("compute", *DIGITS))  # compiles what is not compiled yet, which nobody's time shall hold
    page = [conditions(stage.rounds)]
    asked = [part for part in PARTS if part in parts and part != SCALING]
    if GPU in asked and not has_device():
        asked.remove(GPU)
        show(f"{NO_DEVICE}\n")
    for part in asked:
        for result in results(part, sizes, stage):
            show(f"{section(result, goals=True)}\n")
            if part in STORED:
                page.append(section(result, goals=False))
    curves = [stage.curve(sweep) for sweep in sizes.sweeps] if SCALING in parts else []
    for each in curves:
        show(f"{told(each)}\n")
    return "\n\n".join(page), picture(curves)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Interleaved runs of everybody.")
@click.option("--quick", is_flag=True, help="Tens of MB instead of 2.1 GB.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Some parts; repeatable.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=tempfile.gettempdir(),
    show_default=True,
    help="Where the data are made; they are deleted at the end.",
)
@click.option(
    "--save", is_flag=True, help="Put the tables into the page on speed, and the picture beside this program."
)
def main(rounds: int, quick: bool, only: tuple[str, ...], folder: Path, save: bool) -> None:
    """Print what xent takes next to others, and what it is meant to take."""
    if save and (quick or only):
        raise click.UsageError("--save shows all parts in full size: it goes with neither --quick nor --only")
    if save:
        into(PAGE.read_text(), "")  # a page without a place for the results is told of now, and not after minutes
    if quick:
        click.echo("Quick: the goals are for the full sizes.\n")
    stage = Stage(rounds, folder, lambda line: click.echo(line, err=True))
    page, svg = compare(QUICK if quick else FULL, only or PARTS, stage, click.echo)
    if save:
        PAGE.write_text(into(PAGE.read_text(), page))
        PICTURE.write_text(svg)


if __name__ == "__main__":
    main()
