"""How many workers one client keeps busy: `python tests/benchmarks/saturation.py`.

First it records what this machine takes: for a block, for a call through a real dask scheduler, and to add up
two results.  Then it simulates runs with up to 10,000 workers: a call is given out when fewer than twice as many as
there are workers are under way, goes to the worker that is free first, and takes as long as so many recorded blocks,
drawn by chance; results are added in their order, by one client, which does one thing at a time.
"""

from __future__ import annotations

import heapq
import logging
import random
import statistics
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click
import torch
from distributed.deploy.subprocess import SubprocessCluster
from rich.console import Console
from rich.table import Table

from xentcli.question.policy import Policy
from xentcli.question.problem import BLOCK_BYTES, Options, Problem
from xentcli.running.cluster import cluster_crew
from xentcli.running.engine import facts_of
from xentcli.running.pipeline import AHEAD, in_order
from xentcli.sources.generated import generate

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.measuring.facts import Measured

WORKERS = (1, 10, 30, 100, 300, 1_000, 3_000, 10_000)
BATCH_BYTES = (64 << 20, 256 << 20, 1 << 30)
CLASSES = 32_000
POLICY = Policy()
ASKED = {"policy": POLICY, "bits": None}


@dataclass(frozen=True)
class Recorded:
    """Seconds."""

    blocks: list[float]  # what a worker takes for each of some blocks
    call: float  # for a call to go to a worker that does nothing, and its result to come back, among many
    merge: float  # for the addition of two results


def record(blocks: int, calls: int) -> Recorded:
    rows = blocks * BLOCK_BYTES // (4 * CLASSES)
    problem = Problem(*generate(rows, CLASSES, seed=0), Options())
    torch.set_num_threads(1)
    timed = [seconds(partial(facts_of, problem, ASKED, [span])) for span in problem.spans()]
    facts = facts_of(problem, ASKED, list(problem.spans())[:2])
    merge = min(seconds(lambda: (facts + facts).candidates(POLICY.rows)) for _ in range(100))
    return Recorded(timed[1:], time_of_call(calls, facts), merge)


def time_of_call(calls: int, result: Measured) -> float:
    """With a scheduler and a worker that are processes of their own, and results as they are."""
    logging.disable(logging.INFO)
    with (
        SubprocessCluster(n_workers=1, worker_kwargs={"nthreads": 16}) as cluster,
        cluster_crew(cluster.scheduler_address, 30.0) as crew,
    ):
        echo = partial(returned, result)
        list(in_order(crew, [echo] * 100))
        return seconds(lambda: list(in_order(crew, [echo] * calls))) / calls


def returned(result: Measured) -> Measured:
    return result


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def simulate(recorded: Recorded, workers: int, blocks: int, calls: int, chance: random.Random) -> float:
    """The share of their time that the workers compute, in a run of so many calls of so many blocks each."""
    free = [0.0] * workers  # when each is free again; a heap
    under_way: deque[float] = deque()  # when each ends, in their order
    now = computed = 0.0
    for _ in range(calls):
        if len(under_way) == AHEAD * workers:
            now = max(now, under_way.popleft()) + recorded.merge
        now += recorded.call
        needed = sum(chance.choices(recorded.blocks, k=blocks))
        computed += needed
        end = max(now, free[0]) + needed
        heapq.heapreplace(free, end)
        under_way.append(end)
    for end in under_way:
        now = max(now, end) + recorded.merge
    return computed / (workers * now)


@click.command()
@click.option("--seed", default=0, show_default=True)
@click.option("--rounds", default=20, show_default=True, help="Calls for each worker of a simulated run.")
def main(seed: int, rounds: int) -> None:
    """Print how busy the workers of one client are."""
    recorded = record(blocks=64, calls=2_000)
    block = statistics.median(recorded.blocks)
    table = Table("workers", *(f"batches of {size >> 20} MiB" for size in BATCH_BYTES), box=None)
    for workers in WORKERS:
        shares = (
            simulate(recorded, workers, size // BLOCK_BYTES, rounds * workers, random.Random(seed))
            for size in BATCH_BYTES
        )
        table.add_row(f"{workers:,}", *(f"{share:.0%} busy" for share in shares))
    each = f"block {1e3 * block:.1f} ms, call {1e3 * recorded.call:.2f} ms, merge {1e3 * recorded.merge:.2f} ms"
    limits = (
        f"{size >> 20} MiB {size // BLOCK_BYTES * block / (recorded.call + recorded.merge):,.0f}"
        for size in BATCH_BYTES
    )
    console = Console(width=110)
    console.print(f"recorded here: {each}")
    console.print(table)
    console.print(f"one client is busy all the time from so many workers on: {', '.join(limits)}")


if __name__ == "__main__":
    main()
