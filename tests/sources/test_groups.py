"""Ids of groups in every format that has them: numbers and names, with and without a header."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from xentcli.errors import InputError
from xentcli.sources.groups import open_groups

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["mail", "web", "mail", "code"]
NUMBERS = [7, -3, 7, 9]


def csv(ids: list, head: str = "") -> str:
    return "\n".join([*([head] if head else []), *map(str, ids)]) + "\n"


FILES = {
    "header.csv": lambda path: path.write_text(csv(NAMES, "source")),
    "names.csv": lambda path: path.write_text(csv(NAMES)),
    "quoted.csv": lambda path: path.write_text(csv([f'"{name}"' for name in NAMES])),
    "lines.jsonl": lambda path: path.write_text("".join(json.dumps({"group": name}) + "\n" for name in NAMES)),
    "names.parquet": lambda path: pd.DataFrame({"group": NAMES}).to_parquet(path),
    "numbers.csv": lambda path: path.write_text(csv(NUMBERS)),
    "headed.csv": lambda path: path.write_text(csv(NUMBERS, "doc")),
    "numbers.npy": lambda path: np.save(path, np.array(NUMBERS)),
    "floats.npy": lambda path: np.save(path, np.array(NUMBERS, float)),
    "numbers.parquet": lambda path: pd.DataFrame({"group": NUMBERS}).to_parquet(path),
}


@pytest.mark.parametrize("name", FILES)
def test_ids_are_read_from_every_format(name: str, tmp_path: Path) -> None:
    """A group that takes in the rows of another makes the standard error too small, and nothing tells."""
    path = tmp_path / name
    FILES[name](path)
    groups, names = open_groups(str(path), 4)
    ids = [names[group] for group in groups]
    assert ids == (list(map(str, NUMBERS)) if name.startswith(("num", "headed", "floats")) else NAMES)
    assert groups.tolist() == [1, 0, 1, 2] if "mail" not in ids else groups.tolist() == [0, 1, 0, 2]


def test_ids_that_are_none_or_too_few_are_refused(tmp_path: Path) -> None:
    """One id more than rows is a header only above names."""
    for name, values in (("nan.npy", [1.0, np.nan, 2.0]), ("short.npy", [1, 2]), ("long.npy", [1, 2, 3, 4])):
        np.save(tmp_path / name, np.array(values))
        with pytest.raises(InputError):
            open_groups(str(tmp_path / name), 3)
