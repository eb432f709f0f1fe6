"""Who runs against whom, and what xent is meant to take."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from children import ROOT, script, xent

if TYPE_CHECKING:
    from inputs import Files

TORCH, NUMPY = "import torch", "import numpy"
MEBIBYTE = 1 << 20
DIGITS = tuple(ROOT / "samples" / "digits" / name for name in ("logits.npy", "labels.npy"))
SHARE = 0.7  # of the free memory, that a contestant may take: the page cache keeps the data in the rest


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One way to do the work, as a process of its own."""

    name: str
    arguments: tuple[str, ...]
    imports: str = ""  # what it imports before it works, measured as well
    needs: tuple[str, ...] = ()  # packages that the project does not ask for
    appetite: float = 1.0  # bytes in memory for each byte of the logits, about
    times_itself: bool = False  # it prints its seconds; else those of the process count
    ratio: float | None = None  # the goal, to the first contestant
    peak: int | None = None  # bytes, the goal

    def hindrance(self, logits_bytes: int) -> str | None:
        """Why it cannot run here, in words."""
        missing = [name for name in self.needs if importlib.util.find_spec(name) is None]
        if missing:
            return f"{' and '.join(missing)} not installed"
        needed, available = self.appetite * logits_bytes, available_memory()
        if needed > SHARE * available:
            return f"takes about {needed / 1e9:.0f} GB of the {available / 1e9:.0f} GB of free memory"
        return None


def available_memory() -> int:
    """Bytes that processes can get without swapping."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) << 10


def losses(
    files: Files, *, ratio: float, uncertified: float | None = None, peak: int | None = None
) -> list[Contestant]:
    """Everybody who can compute the loss of stored logits, and what xent is meant to take.

    ratio, uncertified  to the first one's time, with the certified pass and without
    peak                bytes resident
    """
    return [
        plain(files),
        *computed(files, ratio=ratio, uncertified=uncertified, peak=peak),
        Contestant(
            name="`np.load`, `F.cross_entropy`",
            arguments=script("cross_entropy", *files.both), imports=TORCH, appetite=2.2,
        ),
        Contestant(
            name="`scipy.special.logsumexp`",
            arguments=script("scipy_logsumexp", *files.both),
            imports="import scipy.special", needs=("scipy",), appetite=6.0,
        ),
        Contestant(
            name="`sklearn.metrics.log_loss`, with a softmax",
            arguments=script("sklearn_log_loss", *files.both),
            imports="import sklearn.metrics", needs=("sklearn",), appetite=9.0,
        ),
        Contestant(
            name="`optax`, jitted by JAX",
            arguments=script("jax_optax", *files.both),
            imports="import jax, optax", needs=("jax", "optax"), appetite=3.0,
        ),
        reading(files),
    ]  # fmt: skip


def plain(files: Files) -> Contestant:
    """What one writes today."""
    return Contestant(
        name="`np.load`, `F.cross_entropy`, `softmax`, `gather`, `log`",
        arguments=script("plain", *files.both), imports=TORCH, appetite=2.2,
    )  # fmt: skip


def computed(
    files: Files, *, ratio: float | None = None, uncertified: float | None = None, peak: int | None = None
) -> list[Contestant]:
    """xent with the certified pass and without."""
    compute = xent("compute", *files.both)
    return [
        Contestant(name="`xent compute`", arguments=compute, imports=TORCH, ratio=ratio, peak=peak),
        Contestant(
            name="`xent compute --reference off`",
            arguments=(*compute, "--reference", "off"), imports=TORCH, ratio=uncertified,
        ),
    ]  # fmt: skip


def reading(files: Files) -> Contestant:
    """What nobody can be faster than."""
    return Contestant(
        name="reading alone: `np.load(…, mmap_mode=\"r\").sum()`",
        arguments=script("read", *files.both), imports=NUMPY,
    )  # fmt: skip


def cold(files: Files) -> list[Contestant]:
    """Who reads all the logits, where the disk has to give them."""
    return [plain(files), *computed(files), reading(files)]


def jobs(files: Files) -> list[Contestant]:
    """As many local processes as there are cores, next to as many threads."""
    compute, cores = xent("compute", *files.both), str(os.cpu_count() or 1)
    return [
        Contestant(name="threads", arguments=compute),
        Contestant(name="processes", arguments=(*compute, "--jobs", cores)),
    ]


def wide(files: Files) -> list[Contestant]:
    return losses(files, ratio=0.35, uncertified=0.25, peak=600 * MEBIBYTE)


def tall(files: Files) -> list[Contestant]:
    return losses(files, ratio=1.0)


def text(files: Files) -> list[Contestant]:
    return [
        Contestant(name="`np.loadtxt`", arguments=script("loadtxt", *files.both), imports=NUMPY),
        Contestant(name="`xent compute`", arguments=xent("compute", *files.both), imports=TORCH, ratio=1.15),
    ]


def start() -> list[list[Contestant]]:
    """The shortest runs there are, where starting is all."""
    return [
        [
            Contestant(name="`import click`", arguments=("-c", "import click")),
            Contestant(name="`xent --help`", arguments=xent("--help"), ratio=2.0),
        ],
        [
            Contestant(name="the three calls, 450 digits", arguments=script("plain", *DIGITS), imports=TORCH),
            Contestant(
                name="`xent compute`, 450 digits", arguments=xent("compute", *DIGITS), imports=TORCH, ratio=1.25
            ),
        ],
    ]


def enclosure(rows: int, classes: int) -> list[Contestant]:
    """The certified pass, once everything is in memory."""
    shape = (rows, classes)
    return [
        Contestant(
            name=f"`torch.logsumexp(x.double(), 1)`, {rows} × {classes}",
            arguments=script("enclosure", "logsumexp", *shape), times_itself=True,
        ),
        Contestant(
            name="enclosures of the same losses",
            arguments=script("enclosure", "enclose", *shape), times_itself=True, ratio=2.5,
        ),
    ]  # fmt: skip


def gpu(files: Files) -> list[Contestant]:
    """The losses of stored logits on a CUDA device, next to its kernel and to the bus."""
    compute = xent("compute", *files.both)
    there = (*compute, "--device", "cuda")
    return [
        Contestant(
            name="`np.load`, `.cuda()`, `F.cross_entropy`, `softmax`, `gather`, `log`",
            arguments=script("gpu", "plain", *files.both), imports=TORCH, appetite=1.1,
        ),
        Contestant(name="`xent compute --device cuda`", arguments=there, imports=TORCH),
        Contestant(
            name="`xent compute --device cuda --reference off`", arguments=(*there, "--reference", "off"), imports=TORCH
        ),
        Contestant(name="`xent compute`, on the processor", arguments=compute, imports=TORCH),
        Contestant(
            name="`F.cross_entropy` alone, of logits that are there",
            arguments=script("gpu", "kernel", *files.both), times_itself=True, appetite=1.1,
        ),
        Contestant(
            name="the bus alone: the logits from pinned memory",
            arguments=script("gpu", "bus", *files.both), times_itself=True, appetite=2.2,
        ),
    ]  # fmt: skip


def pair(files: Files) -> list[Contestant]:
    """Two sets of logits, next to the loss of one."""
    base, other, labels = files.pair
    return [
        Contestant(
            name="`xent compute`, of one side", arguments=xent("compute", base, labels), imports=TORCH,
        ),
        Contestant(
            name="`xent compare`", arguments=xent("compare", base, other, "--labels", labels),
            imports=TORCH, ratio=2.2, peak=600 * MEBIBYTE,
        ),
        Contestant(
            name="KL and both losses as llama.cpp's, in NumPy",
            arguments=script("llama_kl", *files.pair), imports=NUMPY,
        ),
        Contestant(
            name="`F.kl_div` and `F.nll_loss` of `log_softmax`", arguments=script("torch_kl_div", *files.pair),
            imports=TORCH,
        ),
    ]  # fmt: skip


def metrics(files: Files) -> list[Contestant]:
    """What `--metrics` adds to the loss."""
    compute = xent("compute", *files.both)
    return [
        Contestant(name="`xent compute`", arguments=compute, imports=TORCH),
        Contestant(name="`xent compute --metrics`", arguments=(*compute, "--metrics"), imports=TORCH, ratio=1.35),
    ]
