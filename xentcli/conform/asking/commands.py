"""A command as it is typed behind --exec: its name in reports, the variables that are set for it, and its words."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import takewhile

from xentcli.errors import UsageError

NAMED = re.compile(r"\s*(?P<name>[A-Za-z0-9_][\w.+-]*)=(?P<command>.*)", re.DOTALL)
VARIABLE = re.compile(r"\s*[A-Z_][A-Z0-9_]*=")


@dataclass(frozen=True)
class CommandLine:
    """A command without a shell."""

    name: str
    text: str
    words: tuple[str, ...]
    environment: dict[str, str]


def command_line(command: str) -> CommandLine:
    """The command of a text; NAME= before it names it, VARIABLE=value sets what it finds."""
    name, text = named(command)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError("the command cannot be read", found=command, expected=str(error)) from error
    variables = [*takewhile(VARIABLE.match, words)]
    words = words[len(variables) :]
    if not words:
        only = "NAME=COMMAND, with a small letter in NAME: capitals alone are a variable" if variables else ""
        raise UsageError("the command is empty", found=command.strip(), expected=only)
    plain = words[0].rsplit("/", 1)[-1] if len(words) == 1 else text.strip()
    return CommandLine(name or plain, text, tuple(words), dict(each.split("=", 1) for each in variables))


def named(command: str) -> tuple[str, str]:
    """The name before a command, if it has one, and the command.

    >>> named("mine=./a --fast"), named("OMP_NUM_THREADS=1 ./a"), named("./a --x=1")
    (('mine', './a --fast'), ('', 'OMP_NUM_THREADS=1 ./a'), ('', './a --x=1'))
    """
    found = NAMED.match(command)
    return (found["name"], found["command"]) if found and not VARIABLE.match(command) else ("", command)
