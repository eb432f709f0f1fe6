"""The corpus as a folder that needs no xent: JSON, its schema, and every array as a file."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from xentcli.conform.cases.corpus import ARRAYS, FOLDER, content
from xentcli.conform.cases.files import write_array
from xentcli.conform.cases.recipes import make
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

SCHEMA = "schema.json"


def export(folder: Path, names: Collection[str]) -> int:
    """Write the cases of these names; recipes become files, but those of `large` cases stay.  How many cases."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError("the folder is not empty", at=str(folder), hint="name one that is not there yet")
    read = content()
    chosen = [entry for entry in read["cases"] if entry["name"] in names]
    (folder / "arrays").mkdir(parents=True, exist_ok=True)
    cases = [_written(entry, folder) for entry in chosen]
    (folder / "corpus.json").write_text(json.dumps({**read, "cases": cases}, indent=1, ensure_ascii=False) + "\n")
    for name in (SCHEMA, "README.md"):
        source = FOLDER / name if name == SCHEMA else FOLDER.parent / name
        shutil.copyfile(source, folder / name)
    return len(cases)


def _written(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The entry with all of its arrays in files."""
    entry = dict(entry)
    for name in ARRAYS:
        array = entry.get(name)
        if array is None:
            continue
        if "file" in array:
            shutil.copyfile(FOLDER / array["file"], folder / array["file"])
        elif entry.get("rows") or not entry.get("large"):
            file = f"arrays/{entry['name'].replace('/', '.')}.{name}.npy"
            write_array(folder / file, make(array))
            entry[name] = {"file": file, "dtype": array["dtype"], "shape": array["shape"]}
    return entry
