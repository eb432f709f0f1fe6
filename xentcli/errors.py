"""Every error there is: what is wrong, where, what was found, what was expected, what to do."""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BUG = "this is a bug in xent, or its installation is broken; please report it with the lines above"


def harmless(text: str) -> str:
    """The text with everything that would steer a terminal, or begin a line of its own, written as an escape."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in without_secrets(text)
    )


def without_secrets(text: str) -> str:
    """The text without the user names, passwords and signed queries of the addresses in it.

    >>> without_secrets("https://ann:secret@host/z.npy?X-Signature=1f3a and s3://bucket/part-?.npy")
    'https://host/z.npy and s3://bucket/part-?.npy'
    """
    return ADDRESS.sub(r"\1\2", text)


ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]*://)(?:[^\s/'\"@]*@)?([^\s'\"?]*)(?:\?[^\s'\"=]*=[^\s'\"]*)?", re.IGNORECASE)


class Exit(IntEnum):
    """What the exit code says to a script."""

    HOLDS = 0
    DIFFERS = 1
    BAD_INPUT = 2
    OUR_BUG = 3
    NOTHING_CHECKED = 5
    INTERRUPTED = 130
    READER_GONE = 141


class XentError(Exception):
    """An error that its reader can mend; `str()` gives the lines that are printed after `error: `."""

    exit_code = Exit.BAD_INPUT

    def __init__(self, what: str, *, at: str = "", found: str = "", expected: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.details = {"at": at, "found": found, "expected": expected, "hint": hint}

    @property
    def parts(self) -> dict[str, str]:
        """What makes the same error in another process."""
        return {"what": self.what, **self.details}

    def __str__(self) -> str:
        lines = [f"  {name:<8}  {_set_in(text)}" for name, text in self.details.items() if text]
        return "\n".join([harmless(self.what), *lines])


def _set_in(text: str) -> str:
    """Several lines below one another, none of which begins as a message of ours does."""
    return "\n            ".join(map(harmless, text.split("\n")))


class InputError(XentError):
    """A file or an array that cannot be read, or whose content makes no sense."""


class UsageError(XentError):
    """A command line, setting or argument that makes no sense."""


class MissingLabels(UsageError):  # noqa: N818 (it is what is wrong)
    """A file that holds the logits alone was to hold the labels, too."""


class WorkersError(XentError):
    """Other processes or machines that cannot be reached, are not alike, or die."""


class CertificateError(XentError):
    """This machine breaks an assumption that the certificates stand on; nothing can be certified."""


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", before: str = "") -> str:
    """A hint at the known name that this one is nearly, with what stands before it; else the other hint."""
    near = get_close_matches(name, sorted(known), 1)
    return f"did you mean {before}{near[0]}?" if near else otherwise
