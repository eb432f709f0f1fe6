"""Which columns of a table are the logits, and which the labels: what is said, what the names and the rows tell."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from shlex import quote as quoted
from typing import TYPE_CHECKING, Literal

from xentcli.errors import InputError, MissingLabels, UsageError, did_you_mean
from xentcli.sources.files import count, excerpt
from xentcli.sources.headings import OF_LABELS, is_index, is_label, names_rows, no_class, odd_ones
from xentcli.sources.request import ROLES, missing_labels
from xentcli.sources.tabular import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xentcli.sources.request import Request

Kind = Literal["numbers", "text", "lists", "other"]

SLICE = re.compile(r"([+-]?\d{1,9})?:([+-]?\d{1,9})?")
MOST_NAMED = 20  # columns that a message names
BY_PLACE = {"--columns", "--drop", "--label-column", "--key"}  # options that take a position, as 3:4
INDEX = "index"  # what an index without a name is called by --join and --drop


@dataclass(frozen=True)
class Header:
    """The columns of a table, and what is known of what they hold."""

    path: str
    at: str  # where the names stand, for messages
    names: tuple[str, ...]  # the positions, in a table without names
    kinds: tuple[Kind, ...]
    has_names: bool = True
    index: frozenset[int] = frozenset()  # what the file itself calls its index
    unlike: Callable[[Sequence[int]], dict[int, str]] = field(default=lambda _: {})  # column -> what tells it apart
    holds: dict[int, str] = field(default_factory=dict)  # column -> the type of what is neither numbers nor text

    def find(self, name: str, option: str, *, before: Sequence[str] = (), after: Sequence[str] = ()) -> int:
        """The column of this name, whatever its case if that is unique; UsageError without one.

        option  that asks for it, with the names before and after it: the hint is the whole of it
        """
        for found in (self._called(name, str), self._called(name, str.casefold)):
            if len(found) == 1:
                return found[0]
            if found:
                slices = " or ".join(f"{place}:{place + 1}" for place in found[:MOST_NAMED])
                raise UsageError(
                    "more than one column has this name", at=self.at, found=excerpt(name),
                    expected=f"a position: {slices}" if option in BY_PLACE else "one name, once",
                    hint=self.option(option, found[-1:]) if option in BY_PLACE - {"--columns", "--drop"} else "",
                )  # fmt: skip
        if name == INDEX and len(self.own_index) == 1:
            return next(iter(self.own_index))
        if option in BY_PLACE and SLICE.fullmatch(name) and len(places := self._sliced(name, option)) == 1:
            return places[0]
        if not self.has_names and re.fullmatch(r"-\d{1,9}", name) and int(name) >= -len(self.names):
            return int(name) % len(self.names)
        near = did_you_mean(name, (other for other in self.names if other)).removeprefix("did you mean ")[:-1]
        there = excerpt(", ".join(map(self.spelled, range(len(self.names)))), 70)
        positions = f"a position from {-len(self.names)} to {len(self.names) - 1}, as there is no header"
        raise UsageError(
            "no column has this name" if self.has_names else "the file has no such column",
            at=self.at if self.has_names else self.path,
            found=excerpt(name),
            expected=f"one of {there}" if self.has_names else positions,
            hint=f"{option} {quoted(joined([*before, near, *after]))}" if near and self.has_names else "",
        )

    def select(self, wanted: Sequence[str], option: str) -> list[int]:
        """The columns of these names, patterns and slices, in the order in which they are asked for."""
        found: list[int] = []
        for place, each in enumerate(wanted):
            if each not in self.names and SLICE.fullmatch(each):
                some: Iterable[int] = self._sliced(each, option)
            elif each not in self.names and {*"*?["} & {*each}:
                some = self._matching(each, option)
            else:
                some = [self.find(each, option, before=wanted[:place], after=wanted[place + 1 :])]
            twice = [column for column in some if column in found]
            if twice and option == "--columns":
                raise UsageError(
                    "a column is asked for twice", at=self.at, found=f"{option} {joined(wanted)}",
                    expected=f"{self.spelled(twice[0])} once",
                )  # fmt: skip
            found += [column for column in some if column not in found]
        return found

    @cached_property
    def own_index(self) -> frozenset[int]:
        """The columns that pandas wrote as the numbers of the rows, and what the file calls so."""
        first = {0} if self.has_names and self.names[:1] == ("",) and self.kinds[0] in {"numbers", "text"} else set()
        named = {place for place, name in enumerate(self.names) if self.has_names and is_index(name)}
        return self.index | first | named

    def spelled(self, column: int) -> str:
        """The column as options name it: by its name, or as a slice of one position."""
        name = self.names[column]
        plain = name and self.names.count(name) == 1 and not SLICE.fullmatch(name) and not {*"*?[\n"} & {*name}
        return name if plain and name == name.strip() else f"{column}:{column + 1}"

    def option(self, option: str, columns: Iterable[int]) -> str:
        """The option that names these columns."""
        return f"{option} {quoted(joined(map(self.spelled, columns)))}"

    def by_places(self, option: str, columns: Iterable[int]) -> str:
        """The option that names these columns by their positions alone, neighbours together."""
        runs: list[list[int]] = []
        for column in columns:
            if runs and runs[-1][1] == column:
                runs[-1][1] += 1
            else:
                runs.append([column, column + 1])
        return f"{option} {','.join(f'{first}:{end}' for first, end in runs)}"

    def told(self, columns: Sequence[int]) -> str:
        """The columns' names for a sentence."""
        more = f" and {count(len(columns) - MOST_NAMED, 'other')}" if len(columns) > MOST_NAMED else ""
        return ", ".join(excerpt(self.names[column]) for column in columns[:MOST_NAMED]) + more

    def _called(self, name: str, spelling: Callable[[str], str]) -> list[int]:
        return [place for place, other in enumerate(self.names) if spelling(other.strip()) == spelling(name.strip())]

    def _sliced(self, given: str, option: str) -> range:
        match = SLICE.fullmatch(given)
        assert match
        size = len(self.names)
        first, end = (None if each is None else int(each) for each in match.groups())
        found = range(*slice(first, end).indices(size))
        if not found or any(each is not None and not -size <= each <= size for each in (first, end)):
            raise UsageError(
                "the table has not these columns", at=self.path, found=f"{option} {given}",
                expected=f"a slice of its {count(size, 'column')}: {option} 0:{size} is all of them",
            )  # fmt: skip
        return found

    def _matching(self, pattern: str, option: str) -> list[int]:
        for spelling in (str, str.casefold):
            found = [i for i, name in enumerate(self.names) if fnmatchcase(spelling(name), spelling(pattern))]
            if found:
                return found
        there = excerpt(", ".join(self.names), 70)
        raise UsageError(
            "no column's name matches this pattern", at=self.at, found=f"{option} {pattern}", expected=f"one of {there}"
        )


@dataclass(frozen=True)
class Part:
    """One array that is wanted: one column of numbers or lists, or several columns of numbers side by side."""

    role: str
    columns: tuple[int, ...]
    side_by_side: bool
    names: tuple[str, ...] = ()  # of the classes, where each column is one and has a name


@dataclass(frozen=True)
class Chosen:
    """What is taken of a table."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()  # what is left out without being asked to
    ids: dict[str, int] = field(default_factory=dict)  # what names the rows -> its column

    @property
    def columns(self) -> list[int]:
        """All that must be read."""
        return sorted({*(column for part in self.parts for column in part.columns), *self.ids.values()})


def choose(header: Header, request: Request) -> Chosen:
    """The columns that are asked for.

    Errors: UsageError where that is not plain, InputError for columns that are no classes; either says what to type.
    """
    label = None if request.column is None else header.find(request.column, "--label-column")
    if len(request.roles) > 1:
        logits, target = _both(header, request, label)
        parts: tuple[Part, ...] = (logits, Part("labels", target, side_by_side=False))
    elif request.roles == ("logits",):
        parts = (_logits(header, request, ()),)
    else:
        parts = (_target(header, request, label),)
    for part in parts if not request.table.columns else ():  # places that are asked for tell them apart
        _refuse_twins(header, part)
    taken = {column for part in parts for column in part.columns}
    return Chosen(parts, tuple(_notes(header, request, taken)), _ids(header, request, taken))


def _refuse_twins(header: Header, part: Part) -> None:
    """InputError for classes of one name: a report could not say which is which."""
    if len(set(part.names)) == len(part.names):
        return
    twice = next(name for name, times in Counter(part.names).items() if times > 1)
    raise InputError(
        "two columns have one name", at=header.at, found=excerpt(twice), expected="a name for each class",
        hint=header.by_places("--columns", part.columns),
    )  # fmt: skip


def _both(header: Header, request: Request, label: int | None) -> tuple[Part, tuple[int, ...]]:
    """The logits and the labels of one table."""
    if label is not None:
        return _logits(header, request, (label,)), (label,)
    own = [column for column, name in enumerate(header.names) if header.has_names and is_label(name)]
    if len(own) == 1 and (named := _named(header, request, own)) is not None:
        return Part("logits", (named,), side_by_side=False), (own[0],)
    if not own:
        raise missing_labels(request.path, _held(header), _likely_labels(header, request))
    _refuse_others(header, request, own)
    raise MissingLabels(
        "the labels are missing",
        at=header.at,
        found=f"a column called {header.told(own)}, and no LABELS",
        expected="LABELS, or --label-column NAME for a column of the logits' table",
        hint=header.option("--label-column", own[:1]),
    )


def _likely_labels(header: Header, request: Request) -> str:
    """The option that takes the one column whose numbers may be labels, as those of no other may; else nothing."""
    left = _left(header, request, ())
    whole = [column for column, why in header.unlike(left).items() if why.startswith("whole numbers")]
    found = [column for column in whole if not header.names[column].strip() or not no_class(header.names[column])]
    return header.option("--label-column", found) if len(found) == 1 else ""


def _refuse_others(header: Header, request: Request, labels: Sequence[int]) -> None:
    """Say at once which is the column of the labels and which columns are no classes."""
    try:
        _logits(header, request, labels)
    except InputError as error:
        hint = f"{header.option('--label-column', labels[:1])} {error.details['hint']}"
        raise InputError(error.what, **error.details | {"hint": hint}) from error


def _held(header: Header) -> str:
    return f"a table of {count(len(header.names), 'column')}" + (
        f": {excerpt(', '.join(header.names), 70)}" if header.has_names else ""
    )


def _left(header: Header, request: Request, others: Sequence[int]) -> list[int]:
    """All columns but these, those that are dropped or say which row a row is, and the index."""
    gone = {*others, *_dropped(header, request), *_joining(header, request)}
    if len(header.names) - len(gone) > 1:
        gone |= header.own_index
    return [column for column in range(len(header.names)) if column not in gone]


def _dropped(header: Header, request: Request) -> list[int]:
    """What --drop names; of the labels' table, what it has of that."""
    drop, beside = request.table.drop, request.labels_beside
    if request.roles != ("logits",) and len(request.roles) == 1:
        drop = (
            ()
            if not header.has_names
            else tuple(name for name in drop if name.casefold() in {other.casefold() for other in header.names})
        )
    found = header.select(drop, "--drop")
    with suppress(UsageError):  # a side of a comparison need not have the column of the labels
        return list(dict.fromkeys((*found, header.find(beside, "--label-column")) if beside else found))
    return found


def _joining(header: Header, request: Request) -> list[int]:
    return [header.find(request.table.join, "--join")] if request.table.join and _is_matched(request) else []


def _is_matched(request: Request) -> bool:
    """Whether the rows are those of another file, too."""
    return len(request.roles) == 1 or request.is_matched


def _logits(header: Header, request: Request, labels: Sequence[int]) -> Part:
    """The column that is named or holds lists; else the columns that are asked for, or all that may be classes."""
    if request.table.columns:
        chosen = [each for each in header.select(request.table.columns, "--columns") if each not in labels]
        chosen = [each for each in chosen if each not in _dropped(header, request)]
        if not chosen:
            raise UsageError("no column is left for the classes", at=header.at, found=_held(header))
        return _classes(header, _checked(header, request, chosen))
    single = _named(header, request, labels)
    if single is not None:
        return Part("logits", (single,), side_by_side=False)
    chosen = _left(header, request, labels)
    _refuse_suspects(header, request, chosen)
    return _classes(header, _checked(header, request, chosen))


def _classes(header: Header, columns: list[int]) -> Part:
    """These columns side by side, or the only one if it holds lists."""
    if len(columns) == 1 and header.kinds[columns[0]] == "lists":
        return Part("logits", tuple(columns), side_by_side=False)
    names = tuple(header.names[column] for column in columns)
    telling = header.has_names and names != tuple(map(str, range(len(names))))
    return Part("logits", tuple(columns), side_by_side=True, names=names if telling else ())


def _named(header: Header, request: Request, others: Sequence[int]) -> int | None:
    """The column of the key, or of the role's name, or the only one with lists; None without any."""
    if request.key is not None:
        return header.find(request.key, "--key")
    left = _left(header, request, others)
    called = [place for place in left if header.has_names and header.names[place] in ROLES[request.roles[0]]]
    lists = [place for place in left if header.kinds[place] == "lists"]
    return next((found[0] for found in (called, lists) if len(found) == 1), None)


def _target(header: Header, request: Request, label: int | None) -> Part:
    """The column of the labels or the weights: the only one, or that of such a name; else all side by side."""
    role = request.roles[0]
    if label is None and request.key is not None:
        label = header.find(request.key, "--key")
    left = _left(header, request, ())
    if label is None and len(left) == 1:
        label = left[0]
    if label is None and header.has_names:
        known = {*ROLES[role], *(OF_LABELS if role == "labels" else ())}
        called = [column for column in left if header.names[column].strip().lower() in known]
        if len(called) > 1:
            raise UsageError(
                f"which column holds the {role}?", at=header.at, found=header.told(called),
                hint=header.option("--label-column", called[:1]),
            )  # fmt: skip
        label = called[0] if called else None
    if label is not None:
        return Part(role, (label,), side_by_side=False)
    _refuse_around(header, request, left)
    names = tuple(header.names[column] for column in left) if header.has_names else ()
    return Part(role, tuple(_checked(header, request, left)), side_by_side=True, names=names)


def _refuse_around(header: Header, request: Request, left: list[int]) -> None:
    """Of labels, where one column alone may hold them, the command that takes it."""
    suspects = _suspects(header, left)
    rest = [column for column in left if column not in suspects]
    if suspects and len(rest) == 1:
        raise InputError(
            "more than one column, of which one alone may hold the labels",
            at=header.at,
            found=header.told(left),
            hint=header.option("--label-column", rest),
        )
    _refuse_suspects(header, request, left)


def _refuse_suspects(header: Header, request: Request, columns: list[int]) -> None:
    """InputError for columns taken side by side of which some are no classes, by their names or by what they hold."""
    suspects = _suspects(header, columns)
    if not suspects:
        return
    rest = [column for column in columns if column not in suspects]
    several = "columns that are no classes stand" if len(suspects) > 1 else "a column that is no class stands"
    by_drop = header.option("--drop", _with_dropped(header, request, suspects))
    if request.labels_beside is not None and rest:  # the other sides may lack what this one has too much
        by_drop = header.option("--columns", rest)
    raise InputError(
        f"{several} among the others",
        at=header.at,
        found="; ".join(list(suspects.values())[:MOST_NAMED]),
        expected="a column a class, and no other",
        hint=by_drop if len(suspects) <= MOST_NAMED or not rest else header.option("--columns", rest),
    )


def _with_dropped(header: Header, request: Request, columns: Iterable[int]) -> list[int]:
    """These columns after those that are dropped: a hint that has them alone would bring the others back."""
    return list(dict.fromkeys((*_dropped(header, request), *columns)))


def _suspects(header: Header, columns: list[int]) -> dict[int, str]:
    """The columns that are no classes among these -> what tells."""
    if len(columns) < 2:
        return {}
    found = {}
    if header.has_names:
        names = [header.names[column] for column in columns]
        found = {column: why for column in columns if (why := no_class(header.names[column]))}
        odd = {columns[place] for place in odd_ones(names)} - found.keys()
        found |= {column: f"{excerpt(header.names[column])}, not named like the others" for column in odd}
    held = {"text": "text", "lists": "lists", "other": "no plain numbers"}
    alien = {column: held[header.kinds[column]] for column in columns if header.kinds[column] != "numbers"}
    if len(alien) < len(columns):
        found |= {column: f"{excerpt(header.names[column])}, {what}" for column, what in alien.items()}
    rest = [column for column in columns if column not in found]
    found |= {column: f"{excerpt(header.names[column])}, {what}" for column, what in header.unlike(rest).items()}
    return dict(sorted(found.items()))


def _checked(header: Header, request: Request, columns: list[int]) -> list[int]:
    """The columns; InputError for one that holds no numbers."""
    for column in columns:
        if header.kinds[column] == "other" or (len(columns) > 1 and header.kinds[column] != "numbers"):
            raise InputError(
                "this column holds no plain numbers",
                at=f"{header.path}:{header.names[column]}",
                found=header.holds.get(column, header.kinds[column]),
                expected="floats or integers",
                hint=header.option("--drop", _with_dropped(header, request, [column])) if len(columns) > 1 else "",
            )
    return columns


def _notes(header: Header, request: Request, taken: set[int]) -> Iterable[str]:
    """What is left out though nobody asked for that."""
    said = {*_dropped(header, request), *_joining(header, request)}
    if request.roles == ("labels",) or not request.table.columns:
        for column in sorted(header.own_index - taken - said):
            name = f"{header.names[column]!r}" if header.names[column] else "which has no name"
            yield f"the index, {name}, is left out"
    known = {*taken, *said, *header.own_index}
    others = [column for column in range(len(header.names)) if column not in known]
    if others and not request.table.columns:
        yield f"{header.told(others)} {'is' if len(others) == 1 else 'are'} left out"


def _ids(header: Header, request: Request, taken: set[int]) -> dict[str, int]:
    """What tells the rows apart, so that they can be compared with those of the other file."""
    if not header.has_names or not _is_matched(request):
        return {}
    index = header.own_index
    ids = {
        INDEX if column in index else name.strip().casefold(): column
        for column, name in enumerate(header.names)
        if column not in taken and header.kinds[column] in {"numbers", "text"}
        and (column in index or names_rows(name))
    }  # fmt: skip
    if request.table.join:
        ids[request.table.join.casefold()] = _joining(header, request)[0]
    return ids
