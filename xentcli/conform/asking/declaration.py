"""What an implementation says of itself: beside the function, in a program's first answer, or on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from xentcli.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from xentcli.question.problem import Reduction

REDUCTIONS: tuple[Reduction, ...] = ("none", "sum", "mean")
DTYPES = ("float64", "float32", "bfloat16", "float16")
OPTIONS = ("weight", "ignore_index", "label_smoothing")
TARGETS = ("labels", "probabilities", "one-hot")
SHAPES = ("single", "rows", "inner")  # [C], [N, C] and [N, C, d1, ...]
RETURNED = ("loss", "gradient", "other")
AXES = ("1", "last")
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
MOST_RETURNED = 16  # elements of a tuple


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What an implementation is; None where it says nothing.

    reductions    those that it offers
    dtypes        of the logits
    targets       what it takes: labels, probabilities, or one-hot, which labels are turned into
    shapes        of the logits: single [C], rows [N, C], inner [N, C, d1, ...]
    options       those that it takes, beside the reduction
    axis          where its classes are: axis 1 as torch has them, or the last one
    ignore_index  the only one that it knows
    returns       what the elements of its tuple are; the loss alone where that is no tuple
    backward      the name of a function that gives the gradient
    gradient      whether there is one
    in_place      whether it may write to the logits
    """

    reductions: tuple[Reduction, ...] | None = None
    dtypes: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    shapes: tuple[str, ...] | None = None
    options: tuple[str, ...] | None = None
    axis: str = "1"
    ignore_index: int | None = None
    returns: tuple[str, ...] | None = None
    backward: str | None = None
    gradient: bool = True
    in_place: bool = False

    def plain(self) -> dict[str, Any]:
        """The members that say something, for a line of JSON."""
        return {name: value for name, value in asdict(self).items() if value != getattr(SILENT, name)}


SILENT = Declaration()


def declaration(given: Mapping[str, Any], at: str) -> Declaration:
    """The declaration of these members, whose values may be words of a command line; UsageError for one unknown."""
    read = {}
    for name, value in given.items():
        key = str(name).replace("-", "_")
        if key not in READERS:
            raise UsageError(
                f"there is nothing to declare by the name {str(name)!r}",
                at=at,
                expected=", ".join(READERS),
                hint=did_you_mean(key, READERS, "xent docs conform"),
            )
        read[key] = READERS[key](key, value, at)
    return Declaration(**read)


def words(texts: tuple[str, ...]) -> dict[str, str]:
    """The members of KEY=VALUE texts; UsageError for one without a sign, or twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        key = name.strip().replace("-", "_")
        if not sign:
            raise UsageError("a declaration is KEY=VALUE", at="--declare", found=text, expected=", ".join(READERS))
        if key in found:
            raise UsageError(f"{key} is declared twice", at="--declare", found=f"{found[key]}, and {value}")
        found[key] = value.strip()
    return found


def _listed(known: tuple[str, ...]) -> Callable[[str, Any, str], tuple[str, ...]]:
    """A reader of one word or several, each of them known."""

    def read(name: str, value: Any, at: str) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise _unknown(name, value, known, at)
        parts = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
        strange = [part for part in parts if part not in known]
        if strange or not (parts or name == "options"):
            raise _unknown(name, strange[0] if strange else value, known, at)
        return parts

    return read


def _choice(known: tuple[str, ...]) -> Callable[[str, Any, str], str]:
    def read(name: str, value: Any, at: str) -> str:
        if isinstance(value, bool) or str(value) not in known:
            raise _unknown(name, value, known, at)
        return str(value)

    return read


def _truth(name: str, value: Any, at: str) -> bool:
    found = value if isinstance(value, bool) else TRUTHS.get(str(value).lower())
    if found is None:
        raise _unknown(name, value, ("true", "false"), at)
    return found


def _integer(name: str, value: Any, at: str) -> int:
    try:
        number = None if isinstance(value, bool | float) else int(str(value))
    except ValueError:
        number = None
    if number is None or not -(1 << 63) <= number < 1 << 63:
        raise _unknown(name, value, ("an integer of 64 bits",), at)
    return number


def _name(name: str, value: Any, at: str) -> str:
    if not isinstance(value, str) or not value:
        raise _unknown(name, value, ("the name of a function",), at)
    return value


def _returned(name: str, value: Any, at: str) -> tuple[str, ...]:
    """The place of the loss, or what each element is."""
    if not isinstance(value, bool) and isinstance(value, int | str) and str(value).isdecimal():
        if int(value) < MOST_RETURNED:
            return ("other",) * int(value) + ("loss",)
        raise _unknown(name, value, (f"a place below {MOST_RETURNED}",), at)
    parts = value.split(",") if isinstance(value, str) else value
    parts = tuple(part.strip() if isinstance(part, str) else part for part in parts) if _is_list(parts) else ()
    known = ("the place of the loss, or for each element one of " + ", ".join(RETURNED),)
    if not all(part in RETURNED for part in parts) or parts.count("loss") != 1 or parts.count("gradient") > 1:
        raise _unknown(name, value, known, at)
    return parts


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) <= MOST_RETURNED


def _unknown(name: str, value: Any, known: tuple[str, ...], at: str) -> UsageError:
    hint = did_you_mean(str(value), known, "xent docs conform")
    return UsageError(
        f"{name} cannot be declared so", at=at, found=repr(value)[:80], expected=", ".join(known), hint=hint
    )


READERS: dict[str, Callable[[str, Any, str], Any]] = {
    "reductions": _listed(REDUCTIONS),
    "dtypes": _listed(DTYPES),
    "targets": _listed(TARGETS),
    "shapes": _listed(SHAPES),
    "options": _listed(OPTIONS),
    "axis": _choice(AXES),
    "ignore_index": _integer,
    "returns": _returned,
    "backward": _name,
    "gradient": _truth,
    "in_place": _truth,
}
