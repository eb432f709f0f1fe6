"""What `--help` shows: examples first, then the arguments and the options under their headings."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

Entry = tuple[str, str]


class Argument(click.Argument):
    """An argument that the help explains, in every version of click."""

    def __init__(self, declarations: list[str], *, about: str, **settings: Any) -> None:
        super().__init__(declarations, **settings)
        self.about = about

    def get_help_record(self, ctx: click.Context) -> Entry:
        """How it is written, and what it is."""
        return self.make_metavar(ctx), self.about


class Option(click.Option):
    """An option that stands under a heading of the help, its range in words."""

    def __init__(self, *args: Any, heading: str = "Options", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.heading = heading

    def get_help_extra(self, ctx: click.Context) -> click.types.OptionHelpExtra:
        """What click says in brackets, but for a range of its own spelling."""
        extra = super().get_help_extra(ctx)
        if extra.pop("range", "") and (words := _range(self.type)):
            extra["range"] = words
        return extra


class Helpful(click.Command):
    """A command whose help opens with examples.

    examples  lines to paste into a shell, in this order
    """

    def __init__(self, *args: Any, examples: Iterable[str] = (), **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)

    def format_help_text(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The first sentence, the examples, the rest."""
        first, _, rest = inspect.cleandoc(self.help or "").partition("\n\n")
        _write(first, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        _write(rest, formatter)

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Nothing: click 8.5 has a place of its own for them, and others have none."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What click does for its one heading."""
        sections: dict[str, list[Entry]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            heading = "Arguments" if isinstance(param, click.Argument) else getattr(param, "heading", "Options")
            record = param.get_help_record(ctx)
            if record and record[1]:
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def _write(text: str, formatter: click.HelpFormatter) -> None:
    if text:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)


def _range(kind: object) -> str:
    """The values that a type takes, in words; nothing where there is no end that a reader could want."""
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    if least is None:
        return ""
    if most is None or most > 2**53:
        return f"more than {least}" if getattr(kind, "min_open", False) else f"{least} or more"
    return f"{least} to {most}"
