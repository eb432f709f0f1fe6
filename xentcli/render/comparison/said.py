"""What is compared with what, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xentcli.render.numbers import plural
from xentcli.render.wording import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.comparison import Compared, Comparison
    from xentcli.render.wording import Entry

USUAL = {"input": "logits", "reduction": "mean"}


def said_of(one: Compared) -> Iterator[Entry]:
    """One other side: its file, its rows, and how many of them are the base's."""
    counts = one.counts
    yield "other", f"{one.other.path}, {one.other.dtype}"
    ignored = f", {counts.ignored:,} ignored" if counts.ignored else ""
    groups = f", {plural(counts.groups, 'group')}" if counts.groups else ""
    yield "rows", f"{counts.rows:,} × {plural(counts.classes, 'class').replace('classs', 'classes')}{ignored}{groups}"
    if one.identity.same_rows:
        yield "same", f"{plural(one.identity.same_rows, 'row')} exactly, but for a constant"


def said_of_part(comparison: Comparison) -> Iterator[Entry]:
    """Which rows alone are compared, where they are not all."""
    if comparison.part:
        share = f", share {comparison.part.share}" if comparison.part.share else ""
        yield "part", f"{comparison.part.rows} of {comparison.part.samples:,} alone{share}"


def asked(comparison: Comparison) -> str:
    """The options that are not as they are where nobody gives them, as one would type them."""
    given = {name: value for name, value in comparison.options.items() if name != "rows" and USUAL.get(name) != value}
    return " ".join(each for name, value in given.items() for each in _typed(name, value))


def _typed(name: str, value: Any) -> Iterator[str]:
    """Once for each of several values; never for none."""
    for each in value if isinstance(value, (list, tuple)) else [value]:
        if each is not None:
            yield typed(name, f"{each:g}" if isinstance(each, float) else each)
