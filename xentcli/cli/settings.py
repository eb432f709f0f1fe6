"""Defaults from `[tool.xent]` in the nearest pyproject.toml that has one."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from xentcli.cli.options import Groups, Size
from xentcli.errors import UsageError, did_you_mean
from xentcli.sources.files import check_file, is_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    Section = dict[str, Any]
    Options = dict[str, click.Option]

MOST_BYTES = 1 << 20  # of a file of settings; a device or a pipe may have no end
OWN_NAME = "xent.toml"  # a file whose top level is ours
ROOTS = (".git", ".hg", ".jj", ".svn")  # what the root of a repository holds

# A file of settings may be somebody else's: it says how a loss is defined, judged and shown, and does nothing itself.
NEVER = {
    "exec": "runs a program",
    "cluster": "connects to other machines",
    **dict.fromkeys(("output", "report", "partial", "resume", "save", "export"), "writes files"),
}

# what TOML must give to an option of click's type, and how a message calls it
KINDS: tuple[tuple[type[object], type | tuple[type, ...], str], ...] = (
    (Size, (int, str), 'an integer, or text such as "4MiB"'),
    (Groups, (int, str), 'an integer, or text such as "axis:0"'),
    (type(click.BOOL), bool, "true or false"),
    (type(click.INT), int, "an integer"),
    (type(click.FLOAT), (int, float), "a number"),
)


def read_settings(group: click.Group, folder: Path) -> dict[str, Section]:
    """click's default map: for each command the settings it has options for.

    Keys are long option names; a table named like a command holds for that command alone.
    Errors: UsageError for TOML that does not parse, for a key that no command has, and for a value of another type.
    """
    return defaults_of(group, *found_settings(folder))


def found_settings(folder: Path, config: Path | None = None) -> tuple[Path, Section]:
    """The file of settings and what it sets: the file given, or the nearest from the folder upwards.

    Errors: InputError for a file that cannot be read, UsageError for one without settings.
    """
    if config is None:
        return _nearest(folder)
    check_file(str(config))
    section = _section(config)
    if section is None:
        raise UsageError("this file has no settings of xent", at=str(config), expected="a table [tool.xent]")
    return config, section


def defaults_of(group: click.Group, path: Path, settings: Section) -> dict[str, Section]:
    """What the settings of this file are for each command."""
    options = {name: _options(command) for name, command in group.commands.items()}
    shared = {key: value for key, value in settings.items() if key not in options}
    _refuse_unknown(shared, set().union(*options.values()), place(path))
    return {
        name: _defaults(path, _meant(shared, known, options.values()), settings.get(name, {}), name, known)
        for name, known in options.items()
    }


def _meant(shared: Section, known: Options, every: Collection[Options]) -> Section:
    """The shared settings without those of which this command's option of the name takes another type than theirs."""
    others = [options for options in every if options is not known]
    return {
        key: value
        for key, value in shared.items()
        if key not in known or _fits(known[key], value) or not any(_fits(each.get(key), value) for each in others)
    }


def _fits(option: click.Option | None, value: object) -> bool:
    """Whether the value is of the option's type."""
    if option is None or option.multiple:
        return option is not None and isinstance(value, list)
    kind, _ = _kind(option)
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _kind(option: click.Option) -> tuple[type | tuple[type, ...], str]:
    """What TOML must give, and how a message calls it."""
    return next(
        ((kind, words) for types, kind, words in KINDS if isinstance(option.type, types)), (str, "text in quotes")
    )


def _nearest(folder: Path) -> tuple[Path, Section]:
    """The first pyproject.toml from the folder upwards, in its repository, that has our section; and the section.

    Errors: UsageError for one that belongs to another user.
    """
    with suppress(FileNotFoundError):  # somebody may have removed the folder that the shell stands in
        folder = folder.absolute()
    for path in (each / "pyproject.toml" for each in _within_repository(folder)):
        section = _section(path) if path.is_file() else None
        if section is not None:
            _refuse_stranger(path)
            return path, section
    return folder, {}


def _within_repository(folder: Path) -> Iterator[Path]:
    """The folders from this one up to the root of its repository; without one, this folder alone."""
    folders = (folder, *folder.parents)
    root = next((each for each in folders if any((each / name).exists() for name in ROOTS)), folder)
    return (each for each in folders if each.is_relative_to(root))


def _refuse_stranger(path: Path) -> None:
    owner = path.stat().st_uid
    if hasattr(os, "geteuid") and owner not in {0, os.geteuid()}:
        raise UsageError(
            "this file of settings belongs to another user",
            at=str(path),
            found=f"user {owner}, and you are {os.geteuid()}",
            hint=f"xent --isolated reads no settings; xent --config {shlex.quote(str(path))} reads these",
        )


def _section(path: Path) -> Section | None:
    is_own = path.name == OWN_NAME
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if b"xent" not in content and not is_own:
        return None
    if len(content) > MOST_BYTES:
        found = f"more than {MOST_BYTES:,} bytes"
        raise UsageError("this is too long for a file of settings", at=str(path), found=found)
    import tomllib  # most folders have nothing to read

    try:
        read = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError("this file is not TOML", at=str(path), found=str(error)) from error
    section = read if is_own else read.get("tool", {}).get("xent")
    if section is not None and not isinstance(section, dict):
        raise UsageError("the setting is not a table", at=f"{path}, tool.xent", expected="[tool.xent]")
    return section


def _options(command: click.Command) -> Options:
    """Long option name -> the option."""
    options = [param for param in command.params if isinstance(param, click.Option) and param.envvar]
    return {name[2:]: param for param in options for name in param.opts if name.startswith("--")}


def _defaults(path: Path, shared: Section, own: object, command: str, known: Options) -> Section:
    """Parameter name -> value, for one command; its own table wins over the shared settings."""
    at = place(path, command)
    if not isinstance(own, dict):
        raise UsageError("the setting is not a table", at=f"{place(path)} {command}", expected=at)
    _refuse_unknown(own, set(known), at)
    places = dict.fromkeys(shared, place(path)) | dict.fromkeys(own, at)
    chosen = {key: value for key, value in (shared | own).items() if key in known}
    return {
        str(known[key].name): _beside(path.parent, known[key], _checked(known[key], value, f"{places[key]} {key}"))
        for key, value in chosen.items()
    }


def place(path: Path, command: str = "") -> str:
    """The table that holds for all commands, or for this one alone."""
    names = [*(["tool", "xent"] if path.name != OWN_NAME else []), *([command] if command else [])]
    return f"{path}, [{'.'.join(names)}]" if names else str(path)


def _refuse_unknown(settings: Section, known: set[str], at: str) -> None:
    for key in settings:
        if key not in known:
            expected = f"one of {', '.join(sorted(known))}"
            raise UsageError(f"unknown setting {key!r}", at=at, expected=expected, hint=did_you_mean(key, known))


def _checked(option: click.Option, value: object, at: str) -> Any:
    """The value, if a file may set it and it is of the option's type; click would make 1 of true, and of 1.5."""
    name = next(name[2:] for name in option.opts if name.startswith("--"))
    if does := _deed(name, value):
        raise UsageError(
            "a file of settings may not set this",
            at=at,
            found=f"--{name} {does}",
            hint=f"type --{name}, or set {option.envvar} in the environment",
        )
    kind, expected = _kind(option)
    items = value if option.multiple and isinstance(value, list) else [value]
    if option.multiple:
        expected = f"a list of {expected}"
    listed = isinstance(value, list) == option.multiple
    if not listed or not all(isinstance(item, kind) and isinstance(item, bool) == (kind is bool) for item in items):
        raise UsageError("the setting has another type", at=at, found=repr(value), expected=expected)
    return value


def _deed(name: str, value: object) -> str:
    """What a setting would have xent do besides computing; empty for nothing."""
    return NEVER.get(name, "") or ("reads an address" if isinstance(value, str) and is_address(value) else "")


def _beside(folder: Path, option: click.Option, value: Any) -> Any:
    """A file named in pyproject.toml is looked for beside it."""
    return str(folder / value) if isinstance(option.type, click.Path) else value
