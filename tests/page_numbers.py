"""The numbers of a page and of its JSON: whether each that is said is the rounding of one that is known."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
NAMES = re.compile(r"float\d+|1-\d\.?\d*e-\d+|15 bins|top \d(?![\d.])|0 to 2|worst \d %")  # that have numbers in them
OUTWARDS = re.compile("at least|at most| to ")  # of ends, which are not rounded to the nearest
SPOKEN = {"1 logit", "2 shift", "3 exponential", "4 sum", "5 probability", "6 loss"}  # steps, whose numbers are names


def numbers(content: Any) -> Iterator[float]:
    """All numbers of the JSON, those in its texts too."""
    if isinstance(content, dict):
        for key, item in content.items():
            yield from numbers(key)
            yield from numbers(item)
    elif isinstance(content, list):
        for item in content:
            yield from numbers(item)
    elif isinstance(content, str):
        yield from (float(found.replace(",", "")) for found in NUMBER.findall(content))
    elif isinstance(content, (int, float)) and not isinstance(content, bool):
        yield float(content)


def is_rounded(said: str, known: np.ndarray, most: float = 0.5) -> bool:
    """Whether a number of the JSON, or 100 times one, is the said one to all of its digits, but for so many steps."""
    value = float(said.replace(",", ""))
    mantissa, _, exponent = said.replace(",", "").removesuffix(".0").partition("e")
    step = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    if "." not in mantissa:  # 1,500 may be 1,496 to two digits
        step *= 10.0 ** (len(mantissa.lstrip("-")) - len(mantissa.lstrip("-").rstrip("0") or "0"))
    return any((np.abs(known * scale - value) <= most * 1.0000001 * step).any() for scale in (1.0, -1.0, 100.0))


def derived(content: dict[str, Any]) -> Iterator[float]:
    """What pages say that is one step from the JSON: how many rows are right, and how far the paths are apart."""
    accuracy = content.get("metrics", {}).get("accuracy", {}).get("value", 0.0)
    counts = content.get("counts", {"samples": 0, "ignored": 0})
    counted = counts["samples"] - counts["ignored"]
    yield from (counted, round(accuracy * counted))
    worst = content.get("discrepancy", {}).get("worst")
    if worst:
        yield float(worst["library"]) - float(worst["manual"])
    for one in content.get("comparisons", []):
        yield from right_and_wrong(one)
    for one in content.get("implementations", []):
        yield from tallied(one)


def tallied(one: dict[str, Any]) -> Iterator[float]:
    """Of an implementation's cases: how many of each outcome, reason and family, and how many values are nearest."""
    for key in ("outcome", "reason"):
        yield from Counter(case[key] for case in one["cases"]).values()
    for family in one["families"]:
        accuracy = family["accuracy"]
        yield sum(family["counts"].values())
        if accuracy and accuracy["values"]:
            yield accuracy["correctly_rounded"] / accuracy["values"]


def right_and_wrong(one: dict[str, Any]) -> Iterator[float]:
    """How many rows both sides get right, and how many both get wrong."""
    rows, known = one["counts"]["rows"] - one["counts"]["ignored"], one["statistics"]
    if "accuracy_base" in known:
        lost = known["flips_right_wrong"]["value"]
        yield round(known["accuracy_base"]["value"] * rows) - lost
        yield rows - round(known["accuracy_other"]["value"] * rows) - lost


def known(content: dict[str, Any]) -> np.ndarray:
    """All numbers that a page with this JSON may say."""
    return np.array([each for each in (*numbers(content), *derived(content)) if math.isfinite(each)])


def unfounded(said: str, among: np.ndarray) -> list[str]:
    """The numbers in a text that are none of those, nor the rounding of one."""
    if said in SPOKEN:
        return []
    most = 1.0 if OUTWARDS.search(said) else 0.5
    return [each for each in NUMBER.findall(re.sub(NAMES, "", said)) if not is_rounded(each, among, most)]
