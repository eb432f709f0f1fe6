"""What a page costs: the processor time of whole runs with one and without, in turn, and how large it is.

python tests/benchmarks/pages.py [--rounds 5] [--only NAME] [--gigabytes]
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from children import ROOT, run, xent
from inputs import Shape, made

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = tuple(str(ROOT / "samples" / "digits" / name) for name in ("logits.npy", "labels.npy"))
PAIR = ROOT / "tests" / "comparing" / "llama" / "self-512"
TORCH = "torch.nn.functional:cross_entropy"
IMPLIED = ("--metrics", "--worst", "10", "--by", "class")  # what a page of a loss asks for
LARGE = Shape(16384, 32000)  # 2.1 GB


@dataclass(frozen=True)
class Run:
    """A command, and what its page asks for beside it."""

    name: str
    arguments: tuple[str, ...]
    implied: tuple[str, ...] = ()


def runs(folder: Path) -> list[Run]:
    """All but the large one."""
    run(("-c", _text_writer(folder)))
    text = (str(folder / "text.npy"), str(folder / "tokens.npy"), "--class-axis", "-1", "--shift")
    pair = (f"{PAIR / 'base.kld'}", f"{PAIR / 'other.npy'}")
    return [
        Run("digits", ("compute", *DIGITS), IMPLIED),
        Run("text", ("compute", *text), (*IMPLIED, "--by", "position")),
        Run("random", ("random", "--samples", "1000", "--classes", "100", "--seed", "1"), IMPLIED),
        Run("two models", ("compare", *pair)),
        Run("battery", ("conform", TORCH)),
    ]


def _text_writer(folder: Path) -> str:
    """A program that writes a language model's logits, so that this process stays small."""
    return (
        "import numpy as np; rng = np.random.default_rng(0)\n"
        f"np.save({str(folder / 'text.npy')!r}, rng.normal(size=(8, 128, 500)).astype(np.float32))\n"
        f"np.save({str(folder / 'tokens.npy')!r}, rng.integers(0, 500, (8, 128)))"
    )


def seconds(arguments: Sequence[str]) -> float:
    """Of processor time, of the whole process."""
    return run(xent(*arguments, "--exit-zero")).processor


def measured(each: Run, folder: Path, rounds: int) -> str:
    """The medians of one run: as it is, with what the page asks for, and with the page."""
    path = folder / "page.html"
    bare = (*each.arguments, "-o", str(folder / "report.txt"))
    kinds = (bare, (*bare, *each.implied), (*bare, "--report", f"html={path}"))
    taken = [[seconds(kind) for kind in kinds] for _ in range(rounds)]
    plain, asked, paged = (median(column) for column in zip(*taken, strict=True))
    made_alone = median(after - before for _, before, after in taken)
    size = path.stat().st_size / 1000
    return f"| {each.name} | {plain:.2f} | {asked:.2f} | {paged:.2f} | {made_alone:.2f} | {size:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only")
    parser.add_argument("--gigabytes", action="store_true", help="a file of 2.1 GB as well")
    given = parser.parse_args()
    print("| run | s | with what the page asks for | with the page | the page | kB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        chosen = runs(Path(name))
        if given.gigabytes:
            files = stack.enter_context(made(LARGE, Path(name)))
            chosen.append(Run("2.1 GB", ("compute", *map(str, files.both)), IMPLIED))
        for each in chosen:
            if given.only in {None, each.name}:
                print(measured(each, Path(name), given.rounds), flush=True)


if __name__ == "__main__":
    main()
