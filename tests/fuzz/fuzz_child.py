"""A process that reads hostile files one after the other: `fuzz_child.py FOLDER SEED FIRST LAST DOORS SECONDS`.

FOLDER has `seeds.pickle`.  Before a file is read, its number goes to `at`, so that whoever started this knows on which
one it died; what is found otherwise goes to `faults`, a JSON object a line.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from importlib import import_module
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

SECONDS = 10.0  # of processor time for one file
MEMORY = 600 << 10  # KiB of resident memory, torch and all other libraries among them
ADDRESSES = 8 << 30  # bytes beyond those at the start: so that a bomb does not take the machine
WRITTEN = 512 << 20  # bytes of a temporary file


def case(form_names: list[str], seed: int, number: int) -> tuple[str, random.Random]:
    """The form of a file by its number, and what decides all else about it."""
    return form_names[number % len(form_names)], random.Random(f"{seed}/{number}")


def main() -> None:
    folder, seed, first, last = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    held = pickle.loads((folder / "seeds.pickle").read_bytes())
    tempfile.tempdir = str(folder)
    os.chdir(folder)
    import h5py  # noqa: F401  before the memory is looked at
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401

    give = import_module(sys.argv[5]).give
    from fuzz_mutations import make

    from xentcli.sources import apart

    warnings.simplefilter("error")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ADDRESSES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    at = os.open(folder / "at", os.O_WRONLY | os.O_CREAT)
    said = os.fstat(2).st_size
    warm = memory()
    for number in range(first, last):
        form, rng = case(list(held), seed, number)
        path = make(form, held[form], folder, rng)
        os.pwrite(at, b"%20d" % number, 0)
        signal.setitimer(signal.ITIMER_PROF, float(sys.argv[6]))
        fault = ""
        try:
            give(form, path, rng)
        except BaseException as error:
            fault = "".join(traceback.format_exception(error))
        signal.setitimer(signal.ITIMER_PROF, 0)
        if memory() > max(MEMORY, warm):
            fault, warm = f"{fault}\n{memory() >> 10} MiB of memory", memory()
        if os.fstat(2).st_size != said:
            fault, said = f"{fault}\nit wrote to standard error", os.fstat(2).st_size
        if fault:
            with (folder / "faults").open("a") as file:
                file.write(json.dumps({"form": form, "number": number, "fault": fault}) + "\n")
    apart._worker.cache_clear()  # the process of the libraries ends, and its memory is known
    if memory() > max(MEMORY, warm):
        with (folder / "faults").open("a") as file:
            file.write(json.dumps({"form": "any", "number": last - 1, "fault": f"{memory() >> 10} MiB apart"}) + "\n")
    os.pwrite(at, b"%20d" % last, 0)


def memory() -> int:
    """The most that was resident so far, in KiB: of this process, or of one that it started and that has ended."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    main()
