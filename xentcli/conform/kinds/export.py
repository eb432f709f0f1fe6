"""The cases of a loss as a folder that needs no xent: JSON and .npy files, with what is certified."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xentcli.conform.cases.files import write_array
from xentcli.conform.kinds.judging import certify
from xentcli.conform.kinds.run import VERSION
from xentcli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xentcli.conform.kinds.call import Call, Kind
    from xentcli.conform.kinds.judging import Certified


def export(folder: Path, kind: Kind, cases: Sequence[Call]) -> None:
    """Write corpus.json, and an array a file: of the inputs, the certified values, their radii and the allowances."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError("the folder is not empty", at=str(folder), hint="name one that is not there yet")
    (folder / "arrays").mkdir(parents=True, exist_ok=True)
    content = {
        "kind": kind.name,
        "version": VERSION,
        "signature": kind.signature,
        "families": dict(kind.families),
        "cases": [_written(folder, kind, case) for case in cases],
    }
    (folder / "corpus.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _written(folder: Path, kind: Kind, case: Call) -> dict[str, Any]:
    def write(name: str, values: torch.Tensor) -> str:
        file = f"arrays/{case.name.replace('/', '.')}.{name}.npy"
        write_array(folder / file, values)
        return file

    arrays = dict(case.arrays) | ({} if case.upstream is None else {"upstream": case.upstream})
    return {
        "name": case.name,
        "about": case.about,
        "dtype": case.dtype,
        "arrays": {name: write(name, values) for name, values in arrays.items()},
        "options": dict(case.options),
        "gradients": list(case.gradients),
        "results": {
            name: {part: write(f"{name}.{part}", torch.from_numpy(values)) for part, values in _parts(found).items()}
            for name, found in certify(kind, case, case.dtype).items()
        },
    }


def _parts(found: Certified) -> dict[str, Any]:
    """The value, its radius and the allowance of each grade, by names that are file names."""
    grades = {f"allowed-{number}": each for number, each in enumerate(found.allowed.values(), 1)}
    parts = {"value": found.value, "radius": found.radius, **grades}
    return {name: np.asarray(values) for name, values in parts.items()}
