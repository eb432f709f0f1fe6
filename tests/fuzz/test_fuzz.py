"""Every reader is given files that are damaged, or lie: each ends in numbers or in a message, and takes little.

The everyday run reads some thousands, the slow one a million; XENT_FUZZ_COUNT and XENT_FUZZ_SEED choose others.
"""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING

import fuzz_run
import pytest
from fuzz_child import MEMORY, case
from fuzz_doors import DOORS, _arrays
from fuzz_mutations import FITTED, NAMES, hostile
from fuzz_seeds import seeds

from xentcli.sources.formats import FORMATS

if TYPE_CHECKING:
    from pathlib import Path

USUAL, ALL = 3300, 1_000_000
SEED = int(os.environ.get("XENT_FUZZ_SEED", "1"))
FORMS = seeds()


def faults(count: int, **settings: object) -> list[fuzz_run.Fault]:
    return fuzz_run.run(int(os.environ.get("XENT_FUZZ_COUNT", count)), SEED, **settings)[1]


def test_hostile_files_end_in_numbers_or_in_a_message() -> None:
    """A signal, an exception of Python, a hang, gigabytes of memory or a library's words: each is a weakness."""
    assert faults(USUAL) == []


@pytest.mark.slow
def test_a_million_hostile_files_do() -> None:
    """What one file in a hundred thousand does is found by many."""
    assert faults(ALL) == []


def test_every_format_is_among_them() -> None:
    """A reader that is added later is a way in, too."""
    names = {"csv": "csv"} | {form.name: form.name for form in FORMATS}
    assert {names[form.name] for form in FORMATS} <= FORMS.keys()
    assert {*DOORS, *FITTED, *NAMES} <= FORMS.keys()


@pytest.mark.parametrize("form", FORMS)
def test_a_file_without_a_fault_is_read(tmp_path: Path, form: str) -> None:
    """Damage of what was refused anyway would find nothing behind the first check."""
    read = 0
    for number, held in enumerate(FORMS[form]):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / NAMES.get(form, "input")
        path.write_bytes(held)
        try:
            DOORS.get(form, _arrays)(path, random.Random(1))
        except Exception:
            continue
        read += 1
    assert read or form == "manifest"  # whose files are not here


def test_a_file_is_made_again_by_its_number(tmp_path: Path) -> None:
    """A fault that nobody can see again is not mended."""
    for number in range(3 * len(FORMS)):
        form, path = fuzz_run.rebuilt(SEED, number, tmp_path)
        expected, rng = case(list(FORMS), SEED, number)
        assert (form, path.read_bytes()) == (expected, hostile(form, FORMS[form], rng))


PLANTED = {  # what a reader does with one file -> what is said of it
    "raise LookupError('planted')": "LookupError: planted",
    "os.kill(os.getpid(), 11)": "signal SIGSEGV",
    "os._exit(3)": "exit code 3",
    "while True: pass": "signal SIGPROF",
    f"bytearray({MEMORY << 11}).replace(b'a', b'b')": "MiB of memory",
    "os.write(2, b'a library says')": "it wrote to standard error",
    "import warnings; warnings.warn('planted', RuntimeWarning)": "RuntimeWarning: planted",
}


@pytest.mark.parametrize("deed", PLANTED)
def test_a_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str) -> None:
    """A search that finds nothing would find nothing in a reader that falls over, too."""
    (tmp_path / "planted.py").write_text(
        f"import os\ndef give(form, path, rng):\n    if form == 'csv':\n        {deed}\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    seconds = 1 if deed.startswith("while") else 10
    (fault,) = fuzz_run.run(len(FORMS), SEED, doors="planted", seconds=seconds)[1]
    assert fault.form == "csv"
    assert PLANTED[deed] in fault.fault
