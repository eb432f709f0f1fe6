"""How fast xent is, as ratios of interleaved runs: `python tests/benchmarks/compare.py`.

Absolute times say more about the machine than about the program, so none is printed without its contestant.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from xentcli.losses.reference import enclose

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent
DIGITS = [str(ROOT / "samples" / "digits" / name) for name in ("logits.npy", "labels.npy")]
SCRIPT = f"""
import numpy as np, torch
x, y = torch.from_numpy(np.load({DIGITS[0]!r})), torch.from_numpy(np.load({DIGITS[1]!r}))
print(torch.nn.functional.cross_entropy(x, y).item())
print(torch.softmax(x, 1).gather(1, y[:, None]).log().neg().mean().item())
"""


@dataclass(frozen=True)
class Race:
    """Two ways to do the same, and the ratio that xent promises."""

    name: str
    ours: Callable[[], object]
    other_name: str
    other: Callable[[], object]
    promised: float


def process(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)


def certified(rows: int, classes: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """The enclosure of all rows, and one log-sum-exp in float64 of the same logits."""
    logits = (3 * torch.randn(rows, classes, generator=torch.Generator().manual_seed(0))).numpy()
    labels = np.random.default_rng(0).integers(0, classes, rows)
    return lambda: enclose(logits, labels), lambda: torch.logsumexp(torch.from_numpy(logits).double(), 1)


def races() -> list[Race]:
    wide, tall = certified(40, 50257), certified(2000, 1000)
    logsumexp = "torch.logsumexp(x.double(), 1)"
    return [
        Race("xent --help", process("-m", "xentcli", "--help"), "import click", process("-c", "import click"), 2.0),
        Race(
            "xent compute, digits", process("-m", "xentcli", "compute", *DIGITS), "script of the two calls",
            process("-c", SCRIPT), 1.25,
        ),
        Race("enclosure, 2000 × 1000", tall[0], logsumexp, tall[1], 2.5),
        Race("enclosure, 40 × 50257", wide[0], logsumexp, wide[1], 2.5),
    ]  # fmt: skip


def times(race: Race, rounds: int) -> list[tuple[float, float]]:
    """Seconds of both, in turn, after one round that is not counted."""
    pairs = [tuple(measure(run) for run in (race.ours, race.other)) for _ in range(rounds + 1)]
    return pairs[1:]


def measure(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@click.command()
@click.option("--rounds", default=9, show_default=True, help="Interleaved runs of each pair.")
def main(rounds: int) -> None:
    """Print the ratios that the project promises, and those it has."""
    table = Table("what", "against", "ratio", "smallest", "greatest", "promised", box=None)
    for race in races():
        ratios = sorted(ours / other for ours, other in times(race, rounds))
        shown = (f"{value:.2f}" for value in (statistics.median(ratios), ratios[0], ratios[-1], race.promised))
        table.add_row(race.name, race.other_name, *shown)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
