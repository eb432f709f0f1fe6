"""`xent formats`: what is read and written."""

from __future__ import annotations

import click

from xentcli.cli.command import Command
from xentcli.cli.terminal import say
from xentcli.errors import Exit
from xentcli.sources.extras import EXTRAS, install, is_installed
from xentcli.sources.formats import FORMATS, Format
from xentcli.sources.packed import SUFFIXES

NOTES = """
A file is known by its content, whatever its name; - is standard input. Where a file holds several arrays,
those called logits and labels are taken, or FILE:NAME names one.
"""


EXAMPLES = (
    "xent formats",
    "xent random --samples 4 --classes 10 --seed 0 --save data.safetensors",
)


@click.command(cls=Command, examples=EXAMPLES, short_help="The formats that are read and written.")
def formats() -> int:
    """List the formats: what a file may hold, how it is read, and what it needs.

    Those that can be written are: `xent random --save FILE` writes them by the ending of the name.
    """
    names = [f"{form.name} {' '.join(form.suffixes)}" for form in FORMATS]
    width = max(map(len, names)) + 2
    for name, form in zip(names, FORMATS, strict=True):
        say(f"{name:<{width}}{form.holds}\n{'':<{width}}{_told(form)}\n")
    for suffix, packing in SUFFIXES.items():
        extra = packing if packing in EXTRAS else ""
        say(f"{f'{packing} {suffix}':<{width}}any of these, packed; unpacked once, in pieces{_needs(extra)}\n")
    say(NOTES)
    return Exit.HOLDS


def _told(form: Format) -> str:
    written = {"both": "written", "each": "written, a file each", "": "not written"}[form.saved]
    return f"{form.reading}; {written}{_needs(form.extra)}"


def _needs(extra: str) -> str:
    if not extra:
        return ""
    state = "installed" if is_installed(extra) else f"missing: {install(EXTRAS[extra])}"
    return f"; needs {EXTRAS[extra]} ({state})"
