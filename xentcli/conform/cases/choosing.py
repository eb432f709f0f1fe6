"""Which cases are asked: by name, by pattern, by dtype and by reduction."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from xentcli.conform.cases.corpus import content
from xentcli.errors import UsageError
from xentcli.records.conformance import SMOKE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from xentcli.conform.cases.case import Case

GLOB = frozenset("*?[")


def spelled_out(patterns: Iterable[str], names: Collection[str]) -> tuple[str, ...]:
    """The names that patterns stand for, and all other words as they are; UsageError for a pattern of nothing."""
    found: list[str] = []
    for pattern in patterns:
        matched = sorted(name for name in names if fnmatchcase(name, pattern)) if GLOB & set(pattern) else [pattern]
        if not matched:
            raise UsageError("no family or case is called so", found=pattern, hint="xent conform --list")
        found += matched
    return tuple(found)


def of_kind(cases: Sequence[Case], dtypes: Collection[str], reductions: Collection[str]) -> tuple[Case, ...]:
    """The cases whose logits have one of the dtypes, and that ask for one of the reductions; smoke cases anyway."""
    known = {entry["name"]: entry["logits"]["dtype"] for entry in content()["cases"]}
    kept = tuple(
        case
        for case in cases
        if case.family == SMOKE
        or (
            (not dtypes or (known.get(case.name) or case.load().dtype) in dtypes)
            and (not reductions or case.reduction in reductions)
        )
    )
    if not any(case.family != SMOKE for case in kept) and any(case.family != SMOKE for case in cases):
        raise UsageError("no case is left", found=", ".join((*dtypes, *reductions)), hint="xent conform --list")
    return kept
