"""Labels that are names: which class each is, by the names of the logits' columns or those that the user gives."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xentcli.errors import InputError, UsageError, did_you_mean
from xentcli.sources.files import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Codes:
    """The class of each name, whatever its case where that is unique."""

    exact: Mapping[str, int]
    folded: Mapping[str, int]

    @classmethod
    def of(cls, path: str, names: Sequence[str]) -> Codes | NewNames:
        """Of names in the order of the classes; UsageError where there are none, as no order of names is the only one.

        path  the file of the labels, for the message
        """
        if isinstance(names, NewNames):
            return names
        if not names:
            raise UsageError(
                "the labels are names, and nothing says which class each is",
                at=path,
                expected="a header that names the logits' columns so, or --classes",
                hint="name the classes in the order of the logits' columns: --classes FIRST,SECOND,THIRD",
            )
        once = Counter(name.casefold() for name in names)
        folded = {name.casefold(): place for place, name in enumerate(names) if once[name.casefold()] == 1}
        return cls({name: place for place, name in enumerate(names)}, folded)

    def of_name(self, name: str, at: str) -> float:
        """The class of a name, which stands there; InputError for one that no class has."""
        found = self.exact.get(name, self.folded.get(name.casefold()))
        if found is None:
            known = excerpt(", ".join(self.exact), 70)
            raise InputError(
                "no class has this name",
                at=at,
                found=excerpt(name) if name else "an empty cell",
                expected=f"one of {known}",
                hint=did_you_mean(name, self.exact, "--classes names the classes in the order of the logits' columns"),
            )
        return float(found)


class NewNames(tuple[str, ...]):
    """In the place of names: any name may come, and has the number of its place among those that came."""

    places: dict[str, int]

    def __new__(cls, _names: tuple[str, ...] = ()) -> NewNames:
        new = super().__new__(cls)
        new.places = {}
        return new

    def of_name(self, name: str, _at: str) -> float:
        """The number of a name, a new one where it is new."""
        return float(self.places.setdefault(name, len(self.places)))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, _name: object) -> bool:
        return True
