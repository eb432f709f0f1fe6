"""The page of a comparison: what was asked, how far each other side is from the base, how sure that is, and where."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from xentcli.render.cells import Grid
from xentcli.render.comparison.beside import short_names
from xentcli.render.comparison.cells import BLOCKS, blocks, dialect_lines, gate_line, percentiles
from xentcli.render.comparison.claims import claim_details, claim_line, verdict
from xentcli.render.comparison.parts import floor_grid, floor_heading
from xentcli.render.comparison.said import asked, said_of, said_of_part
from xentcli.render.ends import spelled
from xentcli.render.html.detail import DETAILS, Detail, listed, shortened_to
from xentcli.render.html.differences import ends, is_known, losses, parts, quoted, told
from xentcli.render.html.document import Document, Figure, Notice, Section, Table, Unfold
from xentcli.render.html.flips import flips
from xentcli.render.html.pairs import worst
from xentcli.render.html.said import array_row, made_by, noticed
from xentcli.render.html.several import beside, share
from xentcli.render.html.tail import tail
from xentcli.render.html.write import fitting
from xentcli.render.numbers import brief, plural
from xentcli.render.wording import printable, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xentcli.question.grouping import By
    from xentcli.records.breakdown import Floor
    from xentcli.records.comparison import Compared, Comparison
    from xentcli.records.report import ArrayInfo
    from xentcli.render.page import Page

FIRST = ("Loss", "Divergence")  # the blocks of statistics that are shown before any picture of rows
WITHIN = {"within": "within the floor", "beyond": "beyond the floor", "open": "not told from the floor"}


def render(comparison: Comparison, _page: Page) -> Iterator[str]:
    """The comparison as one HTML page, with less on it the more there is."""
    yield fitting(document(comparison, detail) for detail in DETAILS)


def document(comparison: Comparison, detail: Detail = DETAILS[0]) -> Document:
    """The comparison as sections: of several other sides first what can be said of all, then those of each."""
    chosen = listed(comparison, detail)
    bounded = shortened_to(chosen, detail)
    shown: Comparison = printable(bounded)
    named = list(zip(short_names(shown.comparisons), shown.comparisons, strict=True))
    several, margin = len(named) > 1, float(shown.options.get("equivalence") or 0.0)
    totals = [{by: len(found) for by, found in one.groups.items()} for one in chosen.comparisons]
    drawn = list(zip(named, totals, strict=True))[: detail.sides]
    return Document(
        title=f"xent compare: {shown.base.path} and {', '.join(one.name for one in shown.comparisons)}",
        verdict=shown.verdict or "computed",
        sentence=_sentence(named),
        content=bounded.to_dict(),
        figures=() if several else tuple(_figures(named[0][1])),
        sections=(
            _read(shown, named),
            *(beside(named, margin, len(drawn), len(comparison.comparisons)) if several else ()),
            *(
                part
                for (name, one), total in drawn
                for part in _of(name if several else "", one, total, detail, margin)
            ),
        ),
        made_by=made_by(shown.tool),
    )


def _sentence(named: Sequence[tuple[str, Compared]]) -> str:
    """What was found; of several sides the verdict and the distance of each."""
    if len(named) == 1:
        return named[0][1].summary
    return "; ".join(f"{name} {_briefly(one)}" for name, one in named)


def _briefly(one: Compared) -> str:
    word = verdict(one)
    far = f"KL {brief(one.statistics['kl'].value, 3)}" if one.statistics else "no sample counts"
    return far if word == "computed" else f"{word}, {far}"


def _figures(one: Compared) -> Iterator[Figure]:
    found = one.statistics
    if "loss_difference" in found:
        error = quoted(found["loss_difference"])
        beside = "" if error is None else f"± {brief(error)}"
        yield Figure("loss, other less base, nats", told(found["loss_difference"], 3), beside)
    if "ppl_ratio" in found:
        yield Figure("perplexity ratio", told(found["ppl_ratio"], 5))
    if found:
        yield Figure("KL, nats", told(found["kl"]), _beside_floor(one.floor))
        yield Figure("same top class", share(found["same_top"]))


def _beside_floor(floor: Floor | None) -> str:
    return "" if floor is None else WITHIN[floor.within]


def _read(comparison: Comparison, named: Sequence[tuple[str, Compared]]) -> Section:
    """The files with the checksums of their numbers, and the options with where they came from."""
    sides = [("base", comparison.base), *((name if len(named) > 1 else "other", one.other) for name, one in named)]
    labels = [("labels", comparison.labels)] if comparison.labels else []
    head = ("input", "shape", "dtype", "values", "format", "file", "CRC-32")
    grid = Grid(head, tuple(map(_input, [*sides, *labels])))
    said = [each for each in said_of(named[0][1]) if each[0] != "other" and (len(named) == 1 or each[0] == "rows")]
    entries = (*said, *said_of_part(comparison), ("options", asked(comparison)), ("settings", settings(comparison)))
    return Section("What was read", entries=entries, tables=Table.of(grid, left=("CRC-32",)))


def _input(each: tuple[str, ArrayInfo]) -> tuple[str, ...]:
    name, info = each
    return (*array_row(name, info), info.crc32 or "")


def _of(name: str, one: Compared, totals: dict[By, int], detail: Detail, margin: float) -> Iterator[Section]:
    """The sections of one other side, each called by its name where there are several."""
    before = f"{name}: " if name else ""
    notices = (*_judged(one), *noticed(one.findings))
    yield Section(name or "What was noticed", _said(one) if name else "", notices=notices)
    if one.statistics:
        for each in _sections(one, totals, detail, margin):
            yield replace(each, title=f"{before}{each.title}")


def _said(one: Compared) -> str:
    return f"{verdict(one)}: {one.summary}"


def _judged(one: Compared) -> Iterator[Notice]:
    yield from (Notice(each.verdict, claim_line(each), tuple(claim_details(each))) for each in one.expectations)
    yield from (Notice(gate.verdict, gate_line(gate)) for gate in one.gates)


def _sections(one: Compared, totals: dict[By, int], detail: Detail, margin: float) -> Iterator[Section]:
    yield _apart(one, margin)
    yield flips(one)
    yield Section("Agreement", tables=_sure_block(one, "Agreement", ""), is_half=True)
    yield from parts(one, totals, detail.parts)
    yield worst(one)
    if detail.has_more:
        yield _more(one)


def _apart(one: Compared, margin: float) -> Section:
    """The loss and the divergences, with their statistical errors and what these come to."""
    tables = tuple(table for title in FIRST for table in _sure_block(one, title, title))
    return Section("How far apart", _sure(one), pictures=(*losses([("", one)], margin), *tail(one)), tables=tables)


def _sure(one: Compared) -> str:
    """What the intervals are, and the test of no difference."""
    if not any(is_known(each.interval) for each in one.statistics.values()):
        return ""
    found, groups = one.statistics, one.counts.groups
    of = plural(groups, "group") + " of rows" if groups else "the rows"
    said = [f"Intervals of 95 % are by Student's t, of the standard error of {of}."]
    if "loss_difference" in found and found["loss_difference"].p is not None:
        p = brief(found["loss_difference"].p)
        said.append(f"Chance alone gives a loss as far off with p = {p}, by sign flips.")
    if "smallest_detectable" in found and math.isfinite(found["smallest_detectable"].value):
        said.append(f"The smallest difference to be detected is {brief(found['smallest_detectable'].value)} nats.")
    return " ".join(said)


def _sure_block(one: Compared, title: str, caption: str) -> tuple[Table, ...]:
    """Its statistics with their intervals, of the standard error that is quoted; all of them where none has one."""
    known = [(said, one.statistics[name]) for name, said in BLOCKS[title].items() if name in one.statistics]
    sure = [(said, each) for said, each in known if is_known(each.interval)]
    rows = tuple((said, spelled(each), ends(each.interval)) for said, each in sure or known)
    return Table.of(Grid(("", "value", "95 % interval"), rows), caption)


def _more(one: Compared) -> Section:
    """The other numbers, each kind behind a line that opens it."""
    every = tuple(table for title, grid in blocks(one) for table in Table.of(grid, title))
    details = [Unfold("All statistics, with both standard errors", tables=every)]
    details.append(Unfold("Percentiles of rows", tables=Table.of(percentiles(one), left=("percentile",))))
    if one.floor:
        details.append(Unfold(floor_heading(one.floor), tables=Table.of(floor_grid(one.floor))))
    if one.dialect and one.dialect.lines:
        stored = (("", one.dialect.statement),)
        details.append(Unfold(f"As {one.dialect.tool} prints it", stored, Table.of(dialect_lines(one.dialect))))
    return Section("More numbers", details=tuple(details))
