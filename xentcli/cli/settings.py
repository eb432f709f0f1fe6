"""Defaults from `[tool.xent]` in the nearest pyproject.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from xentcli.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def read_settings(group: click.Group, folder: Path) -> dict[str, dict[str, Any]]:
    """click's default map: for each command the settings it has options for.

    Keys are long option names; a table named like a command holds for that command alone.
    Errors: UsageError for TOML that does not parse and for a key that no command has.
    """
    path = next((file for parent in (folder, *folder.parents) if (file := parent / "pyproject.toml").is_file()), None)
    settings = _section(path) if path else {}
    if path is None or not settings:
        return {}
    options = {name: _option_names(command) for name, command in group.commands.items()}
    shared = {key: value for key, value in settings.items() if key not in options}
    _refuse_unknown(shared, set().union(*options.values()), path)
    defaults = {}
    for name, known in options.items():
        own = settings.get(name, {})
        _refuse_unknown(own, set(known), path)
        chosen = {key: value for key, value in (shared | own).items() if key in known}
        defaults[name] = {known[key]: _beside(path, key, value) for key, value in chosen.items()}
    return defaults


def _section(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    if b"tool.xent" not in content:
        return {}
    import tomllib  # most folders have nothing to read

    try:
        section = tomllib.loads(content.decode()).get("tool", {}).get("xent", {})
    except ValueError as error:
        raise UsageError("pyproject.toml cannot be read", at=str(path), found=str(error)) from error
    return dict(section)


def _option_names(command: click.Command) -> dict[str, str]:
    """Long option name -> the parameter it sets."""
    options = [param for param in command.params if isinstance(param, click.Option) and param.envvar]
    return {name[2:]: str(param.name) for param in options for name in param.opts if name.startswith("--")}


def _refuse_unknown(settings: dict[str, Any], known: set[str], path: Path) -> None:
    for key in settings:
        if key not in known:
            raise UsageError(
                f"unknown setting {key!r}", at=f"{path}, [tool.xent]", expected=f"one of {', '.join(sorted(known))}"
            )


def _beside(path: Path, key: str, value: Any) -> Any:
    """A file named in pyproject.toml is looked for beside it."""
    return str(path.parent / value) if key in {"weight", "output"} else value
