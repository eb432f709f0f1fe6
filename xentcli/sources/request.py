"""What is asked of a file: one array, or the logits and the labels that it holds both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from xentcli.errors import MissingLabels, UsageError
from xentcli.sources.files import excerpt
from xentcli.sources.tabular import DEFAULT, Tabular

if TYPE_CHECKING:
    from collections.abc import Collection

ROLES = {  # role -> its names; those of the first group before those of the second
    "logits": ("logits",),
    "labels": ("labels", "label"),
    "weight": ("weight", "weights"),
    "losses": ("losses", "loss"),
    "head": ("lm_head.weight", "weight", "head"),
    "bias": ("lm_head.bias", "bias"),
}
OTHER_ROLES = {  # what people call them as well; where more than one is there, none is taken
    "logits": ("predictions", "preds", "y_pred", "outputs", "output", "scores", "x"),
    "labels": ("target", "targets", "y", "y_true", "label_ids", "gt"),
    "weight": ("class_weight", "class_weights"),
    "losses": ("nll", "library"),
    "head": ("head.weight", "W", "w"),
    "bias": ("head.bias", "b"),
}
WAYS = "LABELS, or --label-column NAME for a column of the logits' table"


@dataclass(frozen=True)
class Request:
    """The roles that are wanted of a file, and how the user named the first of them or the second."""

    path: str
    roles: tuple[str, ...]  # one of ROLES, or "logits" and "labels"
    key: str | None = None  # the name of the first, where a file holds several
    column: str | None = None  # of a table, where the labels stand
    table: Tabular = DEFAULT  # how a table is read
    labels_beside: str | None = None  # of a further side: where its own labels stand, if it has any; "" is nowhere
    is_matched: bool = False  # the rows are those of further files, even where one file holds logits and labels

    def names(self, there: Collection[str]) -> list[str]:
        """The names of what is wanted among those that are there; UsageError where that is not plain."""
        self._refuse_options_of_tables()
        return [self._name(role, there) for role in self.roles]

    def only(self, content: str) -> None:
        """UsageError if more is asked of a file than the one array that it holds."""
        self._refuse_options_of_tables()
        if self.key is not None:
            raise UsageError(
                "the file holds one array, without a name",
                at=self.path,
                found=f"{content}, and the name {excerpt(self.key)}",
            )
        if len(self.roles) > 1:
            raise missing_labels(self.path, content)

    def _refuse_options_of_tables(self) -> None:
        """UsageError for what only a table can follow."""
        if self.column is not None:
            raise no_columns(self.path, f"--label-column {self.column}")
        if (given := self.table.for_tables_alone) and self.roles[0] == "logits":
            raise no_columns(self.path, given)

    def _name(self, role: str, there: Collection[str]) -> str:
        if self.key is not None and role == self.roles[0]:
            wanted: tuple[str, ...] = (self.key,)
        else:
            wanted = ROLES[role]
        found = [name for name in wanted if name in there]
        if role == "labels" and self.key is None and found and any(name in there for name in OTHER_ROLES[role]):
            raise self._absent(role, there)  # which of both is meant is not told
        if not found and (self.key is None or role != self.roles[0]):
            found = [name for name in OTHER_ROLES[role] if name in there]
            if len(found) > 1:
                raise self._absent(role, there)
        if not found and self.key is None and len(self.roles) == len(there) == 1:
            found = list(there)
        if not found:
            raise self._absent(role, there)
        return found[0]

    def _absent(self, role: str, there: Collection[str]) -> UsageError:
        held = f"{excerpt(', '.join(there), 70)}" if there else "no array"
        if self.key is not None and role == self.roles[0]:
            return UsageError(
                "the file holds no array of this name", at=self.path, found=excerpt(self.key), expected=held
            )
        if role == "labels" and len(there) < 2 and len(self.roles) > 1:
            return missing_labels(self.path, held)
        is_missing = role == "labels" and len(self.roles) > 1
        error = MissingLabels if is_missing else UsageError
        return error(
            "the labels are missing" if is_missing else f"which array holds the {role}?",
            at=self.path,
            found=held,
            expected=f"one called {ROLES[role][0]}",
            hint=self._named(role, list(there)),
        )

    def _named(self, role: str, there: list[str]) -> str:
        """The command that names the arrays, as far as their names tell which is which, else in their order."""
        if not there:
            return ""
        path = f"{self.path}:"
        if len(self.roles) == 1:
            return f"name it: {quote(path + _likely(role, there))}"
        logits = self.key or _likely("logits", there)
        others = [name for name in there if name != logits]
        if not others:
            return f"xent compute {quote(path + logits)} LABELS"
        labels = _likely("labels", others)
        return f"xent compute {quote(path + logits)} {quote(path + labels)}"


def _likely(role: str, there: list[str]) -> str:
    """The first that is called as such arrays are, or the first of all."""
    names = (*ROLES[role], *OTHER_ROLES[role])
    ends = {re.split(r"[/.]", name)[-1]: name for name in reversed(there)}  # of a path, the last part tells
    return next((ends[name] for name in names if name in ends), there[0])


def missing_labels(path: str, found: str, hint: str = "") -> MissingLabels:
    """No labels are given, and the logits' file holds none that can be told."""
    hint = hint or f"xent compute {quote(path)} LABELS"
    return MissingLabels("the labels are missing", at=path, found=found, expected=WAYS, hint=hint)


def no_columns(path: str, option: str) -> UsageError:
    """A column was asked of what has no columns."""
    return UsageError(
        "only a CSV, a Parquet, an Arrow or a JSON file has columns", at=path, found=option, hint="leave it out"
    )
