"""The corpus that xent ships: cases as JSON, their arrays as .npy files or recipes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xentcli.conform.cases.case import Case, Inputs
from xentcli.conform.cases.files import read_array
from xentcli.conform.cases.recipes import make
from xentcli.errors import UsageError, did_you_mean
from xentcli.records.conformance import SMOKE

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

FOLDER = Path(__file__).parents[1] / "data"
ARRAYS = ("logits", "target", "weight", "upstream")
QUESTION = (
    "name", "about", "reduction", "ignore_index", "label_smoothing", "gradient", "layout", "expects", "may_refuse",
    "strict", "repeated", "large", "rows",
)  # fmt: skip


@dataclass(frozen=True)
class Corpus:
    """Cases by family."""

    version: str
    families: dict[str, str]  # name -> what its fault is
    cases: tuple[Case, ...]

    def chosen(self, only: Iterable[str], skip: Iterable[str], *, large: bool) -> tuple[Case, ...]:
        """The cases asked for, by family or by name, and the smoke cases before them; UsageError for an unknown one."""
        only, skip = set(only), set(skip)
        for name in sorted((only | skip) - self.names):
            raise self.unknown(name)
        wanted = [case for case in self.cases if large or not case.large]
        if only:
            wanted = [case for case in wanted if case.family == SMOKE or only & {case.family, case.name}]
        return tuple(case for case in wanted if case.family == SMOKE or not skip & {case.family, case.name})

    @cached_property
    def names(self) -> frozenset[str]:
        """What a case can be called by: its own name and its family's."""
        return frozenset(self.families) | {case.name for case in self.cases}

    def unknown(self, name: str) -> UsageError:
        """The error for a name that no family and no case has."""
        return UsageError(
            f"there is no family or case {name!r}",
            expected=", ".join(self.families),
            hint=did_you_mean(name, self.names, "xent conform --list"),
        )


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
    arrays = {name: _array(entry[name], folder) for name in ARRAYS if name in entry}
    return Inputs(**arrays, variable=entry.get("variable", "logits"))


def _array(entry: dict[str, Any], folder: Path) -> torch.Tensor:
    return read_array(folder / entry["file"]) if "file" in entry else make(entry)
