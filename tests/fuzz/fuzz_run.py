"""Hostile files by the thousand, in processes of their own: `python tests/fuzz/fuzz_run.py COUNT [SEED [FIRST]]`."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import numpy as np  # noqa: E402
from fuzz_child import SECONDS, case  # noqa: E402
from fuzz_mutations import make  # noqa: E402
from fuzz_seeds import seeds  # noqa: E402

ROOM = "/dev/shm" if Path("/dev/shm").is_dir() else None  # the files are small, many, and gone at once
A_CHILD = 20_000  # files that one process reads: what its libraries keep must not add up
WALL = 3600.0  # seconds for these


@dataclass(frozen=True)
class Fault:
    """A file that ended in something else than its numbers or a message."""

    form: str
    number: int
    fault: str


def run(count: int, seed: int, first: int = 0, **settings: object) -> tuple[Counter[str], list[Fault]]:
    """How many files of each form were read, and what went wrong; the settings are those of a child."""
    forms, faults = list(seeds()), []
    with tempfile.TemporaryDirectory(prefix="fuzz", dir=ROOM) as name:
        folder = Path(name)
        (folder / "seeds.pickle").write_bytes(pickle.dumps(seeds()))
        for named in ("a.npy", "b.npy"):
            np.save(folder / named, np.ones((2, 3), np.float32))  # what the manifests name
        place, end = first, first + count
        while place < end:
            died, place = _child(folder, (seed, place, min(end, place + A_CHILD)), **settings)
            found = _told(folder) + [Fault(forms[place % len(forms)], place, died)] * bool(died)
            place += bool(died)
            for fault in found:
                print(f"{fault.form}, seed {seed}, number {fault.number}: {fault.fault[-1500:]}\n", file=sys.stderr)
            faults += found
    return Counter(forms[number % len(forms)] for number in range(first, end)), faults


def _child(
    folder: Path, range_: tuple[int, int, int], doors: str = "fuzz_doors", seconds: float = SECONDS
) -> tuple[str, int]:
    """How it died, or nothing, and the number of the file that it read last, of a seed, from a first one to a last."""
    _, first, last = range_
    (folder / "at").write_bytes(b"%20d" % first)
    command = [sys.executable, str(HERE / "fuzz_child.py"), str(folder), *map(str, range_), doors, str(seconds)]
    with (folder / "said").open("ab") as said:
        try:
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=said, timeout=WALL, check=False).returncode
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
    number = int((folder / "at").read_bytes())
    if code == 0 and number == last:
        return "", last
    tail = (folder / "said").read_bytes()[-2000:].decode(errors="replace")
    ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{ending}\n{tail}", number


def _told(folder: Path) -> list[Fault]:
    path = folder / "faults"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [Fault(**json.loads(line)) for line in lines]


def rebuilt(seed: int, number: int, folder: Path) -> tuple[str, Path]:
    """The very file of a fault."""
    held = seeds()
    form, rng = case(list(held), seed, number)
    return form, make(form, held[form], folder, rng)


def main() -> None:
    """Print how many files were read, and fail for any fault."""
    count, seed, first = [*map(int, sys.argv[1:]), *(1, 0)[len(sys.argv) - 2 :]]
    began = time.monotonic()
    read, faults = run(count, seed, first)
    print(json.dumps({"seed": seed, "read": read, "faults": len(faults), "seconds": round(time.monotonic() - began)}))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
