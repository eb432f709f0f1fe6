"""What all commands share: their help, and the options that say where settings come from and how the screen looks."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from xentcli.cli.help import Helpful, Option
from xentcli.cli.room import check_room
from xentcli.cli.settings import defaults_of, found_settings
from xentcli.cli.terminal import COLORS, remark, use_color
from xentcli.errors import UsageError, XentError, did_you_mean
from xentcli.sources.files import split_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.records.report import Setting

EVERYWHERE = "For every command, before or after its name"
LIGHT = {"docs", "formats", "completion"}  # commands that import neither torch nor NumPy
SHOWING = frozenset(  # options that say where a report goes and how it looks, and change nothing in it
    ("--format", "--json", "--output", "--report", "--quiet", "--exit-zero", "--color", "--config", "--verbose")
)
NOTE = "xentcli."  # what begins our names in click's notes on a run, which a command shares with the program
SETTINGS_FILE = f"{NOTE}file"
TYPED = f"{NOTE}typed"
NAME_IT, COMPUTE = "name it: ", "xent compute "  # what hints of the sources begin with that name arrays


def _note(context: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        context.meta[f"{NOTE}{param.name}"] = value


def _use_color(_context: click.Context, _param: click.Parameter, when: str | None) -> None:
    if when is not None:
        use_color(when)


def _everywhere(*, variables: bool) -> list[click.Parameter]:
    """The options that the program and each of its commands have; the program reads their variables for all."""

    def option(*names: str, callback: Any = _note, **settings: Any) -> click.Option:
        variable = f"XENT_{names[-1][2:].upper()}" if variables else None
        return Option(names, heading=EVERYWHERE, is_eager=True, expose_value=False, callback=callback,
                      envvar=variable, **settings)  # fmt: skip

    return [
        option(
            "--color",
            type=click.Choice(COLORS),
            callback=_use_color,
            help="When to use colours; auto asks the terminal, NO_COLOR and FORCE_COLOR.  [default: auto]",
        ),
        option(
            "--config",
            type=click.Path(),
            metavar="FILE",
            help="Read settings from this file: [tool.xent] of a pyproject.toml, or an xent.toml.",
        ),
        option("--isolated", is_flag=True, help="Read no file of settings."),
        option("-v", "--verbose", is_flag=True, help="Say on standard error which settings were read."),
    ]


class Command(Helpful):
    """A command that takes its defaults from the settings, unless it is told not to."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _everywhere(variables=False)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the settings before the arguments, of which some say where they are; for the help read none."""
        ctx.meta[TYPED] = tuple(args)
        if ctx.default_map is None and not ctx.resilient_parsing:
            typed = self.make_parser(ctx).parse_args(list(args))[0]
            for param in self.params:
                if param.is_eager and param.name in typed:
                    _note(ctx, param, typed[param.name])
            asked = self.get_help_option(ctx)
            if asked is None or asked.name not in typed:
                ctx.default_map = _defaults(ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Tell what was read, if that is asked for, and run."""
        if ctx.meta.get(f"{NOTE}verbose"):
            remark("\n".join(_told(ctx)))
        if self.name not in LIGHT:
            check_room()
        return super().invoke(ctx)


class Group(Helpful, click.Group):
    """The commands in the order in which they were added: the one that is needed most comes first."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _everywhere(variables=True)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands first: they are what a reader of this page looks for."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of registration."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """click's own, which does not say what may be meant before 8.4."""
        name = args[0]
        if name not in self.commands and not ctx.resilient_parsing and not name.startswith("-"):
            known = ", ".join(self.commands)
            hint = did_you_mean(name, self.commands, f"{ctx.command_path} --help")
            raise UsageError(f"there is no command {name!r}", expected=known, hint=hint)
        return super().resolve_command(ctx, args)


def typed_command(ctx: click.Context) -> tuple[str, ...]:
    """The command as it was typed, word by word."""
    return (*ctx.command_path.split(), *ctx.meta.get(TYPED, ()))


@contextmanager
def completed(typed: tuple[str, ...]) -> Iterator[None]:
    """A hint that is options or names of arrays alone becomes the command that was typed, with these in their place."""
    try:
        yield
    except XentError as error:
        if typed:
            error.details["hint"] = _completed(typed, error.details["hint"])
        raise


def _completed(typed: tuple[str, ...], hint: str) -> str:
    if hint.startswith("--"):
        options = shlex.split(hint)
        return shlex.join([*without(typed, options[0]), *options])
    if not hint.startswith((NAME_IT, COMPUTE)):
        return hint
    array, *others = shlex.split(hint.removeprefix(NAME_IT).removeprefix(COMPUTE))
    path = split_key(array)[0]
    if typed.count(path) != 1 or (hint.startswith(COMPUTE) and typed[1] == "compute"):
        return hint
    labels = ["--labels"] * bool(others) if typed[1] == "compare" else []
    return shlex.join([*(array if word == path else word for word in typed), *labels, *others])


def without(typed: tuple[str, ...], option: str) -> Iterator[str]:
    """The words that were typed but for an option and its value."""
    for before, word in zip(("", *typed), typed, strict=False):
        if option not in (before, word) and not word.startswith(f"{option}="):
            yield word


def _defaults(ctx: click.Context) -> dict[str, Any]:
    """click's default map of a command; empty where the command stands alone, and for --isolated."""
    group = ctx.find_root().command
    if not isinstance(group, click.Group) or ctx.meta.get(f"{NOTE}isolated"):
        return {}
    config = ctx.meta.get(f"{NOTE}config")
    path, section = found_settings(Path(), None if config is None else Path(config))
    ctx.meta[SETTINGS_FILE] = str(path) if path.is_file() else None
    return defaults_of(group, path, section)[str(ctx.command.name)]


def _told(ctx: click.Context) -> Iterator[str]:
    """The file of settings, and what came from it or from the environment."""
    if ctx.meta.get(f"{NOTE}isolated"):
        yield "settings: no file, as --isolated asks"
    else:
        yield f"settings: {ctx.meta.get(SETTINGS_FILE) or 'no file that has any'}"
    yield from (f"  {each.option} {each.value}, from {each.source}" for each in not_typed(ctx))


def not_default(ctx: click.Context) -> Iterator[Setting]:
    """The options that say what is done and were given, each with where it came from."""
    from xentcli.records.report import Setting

    elsewhere = {each.option: each.source for each in not_typed(ctx)}
    for param in ctx.command.params:
        name, value = max(param.opts, key=len), ctx.params.get(str(param.name))
        is_typed = ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        if isinstance(param, click.Option) and name not in SHOWING and (is_typed or name in elsewhere):
            yield Setting(name, _spelled(value), elsewhere.get(name, "the command line"))


def _spelled(value: Any) -> str:
    """A value as it is typed, several of them with commas."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def not_typed(ctx: click.Context) -> Iterator[Setting]:
    """The options of a command that came from the environment or from the file of settings."""
    from xentcli.records.report import Setting

    for param in ctx.command.params:
        source = ctx.get_parameter_source(str(param.name))
        origins = {
            ParameterSource.ENVIRONMENT: param.envvar,
            ParameterSource.DEFAULT_MAP: ctx.meta.get(SETTINGS_FILE),
        }
        if source in origins:
            yield Setting(max(param.opts, key=len), str(ctx.params.get(str(param.name))), str(origins[source]))
