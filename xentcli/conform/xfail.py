"""Failures that are known: a file of `pattern  reason` lines."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from xentcli.conform.cases.generated import FAMILY as GENERATED
from xentcli.errors import InputError, UsageError, did_you_mean
from xentcli.sources.files import near_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from xentcli.records.conformance import CaseResult

MOST_BYTES = 16 << 20  # of such a file; a device or a pipe may have no end


@dataclass(frozen=True)
class Expected:
    """A failure that is known, of a case, a family (`offsets/*`) or another pattern of names."""

    pattern: str
    reason: str

    def matches(self, result: CaseResult) -> bool:
        return fnmatchcase(result.name, self.pattern) or result.family == self.pattern


def read_expected(path: str, names: Collection[str]) -> tuple[Expected, ...]:
    """The lines of a file about cases and families of these names; `#` starts a comment.

    Errors: UsageError, InputError for a line without a reason, or about no case that there is.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode()
    except OSError as error:
        found, hint = str(error.strerror), near_name(path)
        raise UsageError("the file of expected failures cannot be read", at=path, found=found, hint=hint) from error
    except UnicodeDecodeError as error:
        raise InputError("this is not UTF-8 text", at=path, found=str(error)) from error
    if len(content) > MOST_BYTES:
        found = f"more than {MOST_BYTES:,} bytes"
        raise InputError("this is too long for a file of expected failures", at=path, found=found)
    lines = ((number, line.partition("#")[0].split(None, 1)) for number, line in enumerate(text.splitlines(), 1))
    return tuple(_expected(words, f"{path}, line {number}", names) for number, words in lines if words)


def _expected(words: list[str], at: str, names: Collection[str]) -> Expected:
    if len(words) < 2:
        raise InputError(
            "an expected failure needs a reason", at=at, found=words[0], expected="CASE or FAMILY, and then why"
        )
    if not any(fnmatchcase(name, words[0]) for name in names) and words[0].partition("/")[0] != GENERATED:
        hint = did_you_mean(words[0], names, "xent conform --list")
        raise InputError("no case or family is called so", at=at, found=words[0], hint=hint)
    return Expected(words[0], words[1].strip())
