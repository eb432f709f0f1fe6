"""The corpus that xent ships: cases as JSON, their arrays as .npy files or recipes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xentcli.conform.case import Case, Inputs
from xentcli.conform.files import read_array
from xentcli.conform.recipes import make
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

FOLDER = Path(__file__).parent / "data"
ARRAYS = ("logits", "target", "weight", "upstream")
QUESTION = (
    "name", "about", "reduction", "ignore_index", "label_smoothing", "gradient", "layout", "expects", "may_refuse",
    "strict", "repeated", "large", "rows",
)  # fmt: skip
SMOKE = "smoke"


@dataclass(frozen=True)
class Corpus:
    """Cases by family."""

    version: str
    families: dict[str, str]  # name -> what its fault is
    cases: tuple[Case, ...]

    def chosen(self, only: Iterable[str], skip: Iterable[str], *, large: bool) -> tuple[Case, ...]:
        """The cases of the families asked for, and the smoke cases before them; UsageError for an unknown family."""
        only, skip = set(only), set(skip)
        for name in only | skip:
            if name not in self.families:
                raise UsageError(f"there is no family {name!r}", expected=", ".join(self.families))
        wanted = (only or set(self.families)) - skip | {SMOKE}
        return tuple(case for case in self.cases if case.family in wanted and (large or not case.large))


@cache
def content(folder: Path = FOLDER) -> dict[str, Any]:
    """The JSON of a corpus."""
    read: dict[str, Any] = json.loads((folder / "corpus.json").read_text())
    return read


@cache
def corpus(folder: Path = FOLDER) -> Corpus:
    """The cases; their arrays are read when they are asked for."""
    read = content(folder)
    cases = tuple(_case(entry, folder) for entry in read["cases"])
    return Corpus(read["version"], read["families"], cases)


def _case(entry: dict[str, Any], folder: Path) -> Case:
    question = {name: entry[name] for name in QUESTION if name in entry}
    return Case(**question, reports=tuple(entry["reports"]), load=partial(_inputs, entry, folder))


def _inputs(entry: dict[str, Any], folder: Path) -> Inputs:
    return Inputs(**{name: _array(entry[name], folder) for name in ARRAYS if name in entry})


def _array(entry: dict[str, Any], folder: Path) -> torch.Tensor:
    return read_array(folder / entry["file"]) if "file" in entry else make(entry)
