"""Write the corpus: arrays, cases, and the certified digits of each."""

from __future__ import annotations

import json
import math
import shutil
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from xentcli.conform.building import backward, gradients, half, numbers, options
from xentcli.conform.building.digits import slope_digits
from xentcli.conform.cases.case import Case, Inputs
from xentcli.conform.cases.corpus import FOLDER
from xentcli.conform.cases.files import write_array
from xentcli.conform.cases.recipes import make
from xentcli.conform.judging.certified import certify
from xentcli.losses.digits import decide_digits, enclose_exactly, enclose_total
from xentcli.losses.truth import exact_rows
from xentcli.measuring.case import Case as Samples

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from xentcli.conform.building.draft import Array, Draft
    from xentcli.losses.digits import Row

VERSION = "1.0"
DIGITS = 25
FAMILIES = numbers.FAMILIES + options.FAMILIES + half.FAMILIES + gradients.FAMILIES + backward.FAMILIES


def main(folder: Path = FOLDER) -> None:
    """Write everything anew."""
    shutil.rmtree(folder / "arrays", ignore_errors=True)
    (folder / "arrays").mkdir(parents=True)
    entries = [_entry(draft, folder) for _, _, drafts in FAMILIES for draft in drafts()]
    content = {
        "version": VERSION,
        "families": {name: about for name, about, _ in FAMILIES},
        "cases": entries,
    }
    (folder / "corpus.json").write_text(_lines(content))


def _lines(content: dict[str, Any]) -> str:
    """JSON with a case a line, so that a change of the corpus can be read."""
    cases = ",\n".join(json.dumps(case, ensure_ascii=False) for case in content["cases"])
    head = json.dumps({name: value for name, value in content.items() if name != "cases"}, indent=1, ensure_ascii=False)
    return f'{head[:-2]},\n "cases": [\n{cases}\n]}}\n'


def _entry(draft: Draft, folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": draft.name,
        "about": draft.about,
        "reports": list(draft.reports),
        "reduction": "none",
        "ignore_index": -100,
        "label_smoothing": 0.0,
        **draft.options,
        **({} if draft.variable == "logits" else {"variable": draft.variable}),
    }
    for name in ("logits", "target", "weight", "upstream"):
        array: Array | None = getattr(draft, name)
        if array is not None:
            entry[name] = array if isinstance(array, dict) else _stored(array, f"{draft.name}.{name}", folder)
    entry["certified"] = _certified(draft)
    return entry


def _stored(array: torch.Tensor, name: str, folder: Path) -> dict[str, Any]:
    file = f"arrays/{name.replace('/', '.')}.npy"
    write_array(folder / file, array)
    return {"file": file, "dtype": str(array.dtype).removeprefix("torch."), "shape": list(array.shape)}


def _certified(draft: Draft) -> dict[str, Any] | None:
    """The digits of the loss and of the gradient; None where a refusal is expected."""
    if draft.options.get("expects") == "refusal":
        return None
    inputs = Inputs(_made(draft.logits), _made(draft.target), draft.weight, draft.upstream, draft.variable)
    case = Case(name=draft.name, about=draft.about, load=lambda: inputs, **draft.options)
    certified: dict[str, Any] = {"digits": DIGITS, "loss": _loss_digits(case, inputs)}
    return certified | (slope_digits(case, inputs, DIGITS) if case.gradient else {})


def _made(array: Array) -> torch.Tensor:
    return make(array) if isinstance(array, dict) else array


def _loss_digits(case: Case, inputs: Inputs) -> list[str]:
    """Each value of the result, by exact arithmetic; "inf" and "nan" as they are."""
    known = certify(case.of(inputs), inputs)
    samples = Samples(inputs.block, case.options)
    exact = dict(exact_rows(inputs.block, case.options))
    if case.reduction == "none":
        return [
            _row_digits(exact[row], value) if row in exact else "0" for row, value in enumerate(known.value.tolist())
        ]
    (value,) = known.value.tolist()
    if not math.isfinite(value):
        return [str(value)]
    if not samples.denominator:
        return ["nan"]
    denominator = samples.denominator if case.reduction == "mean" else Fraction(1, case.times(inputs))
    digits = decide_digits(lambda bits: enclose_total(exact.values(), denominator, bits), DIGITS)
    return [digits or "0"]


def _row_digits(row: Row, value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    logits, coefficients = row
    digits = decide_digits(lambda bits: enclose_exactly(logits, coefficients, bits), DIGITS)
    assert digits is not None or value == 0.0
    return digits or str(Fraction(0))


if __name__ == "__main__":
    main()
