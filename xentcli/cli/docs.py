"""`xent docs`: the pages of the manual, and the samples that they use."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import click

from xentcli.cli.command import Command
from xentcli.cli.help import Argument
from xentcli.cli.output import check_new_folder
from xentcli.cli.terminal import can_animate, columns, has_color, say
from xentcli.docs.pages import SCHEMAS, about, names, page, samples
from xentcli.errors import Exit, UsageError

EXAMPLES = ("xent docs", "xent docs formats", "xent docs --samples samples")


def _write_samples(context: click.Context, _param: click.Parameter, folder: Path | None) -> None:
    """Write them and end; it is no setting, as `samples` is one of `xent random`."""
    if folder is not None and not context.resilient_parsing:
        say(_written(folder))
        context.exit()


@click.command(cls=Command, examples=EXAMPLES, short_help="The pages of the manual.")
@click.argument("name", cls=Argument, metavar="[PAGE]", required=False, about="Its name, as the list has it.")
@click.option(
    "--samples",
    type=click.Path(path_type=Path),
    metavar="DIR",
    is_eager=True,
    expose_value=False,
    callback=_write_samples,
    help="Write the samples that the pages use to a new folder, and exit.",
)
def docs(name: str | None) -> int:
    """Read a PAGE of the manual; without one, list them.

    In a pipe the page is Markdown as it is stored.
    """
    say(_listed() if name is None else _shown(name))
    return Exit.HOLDS


def _listed() -> str:
    width = max(map(len, names())) + 2
    return "".join(f"{name:<{width}}{about(name)}\n" for name in names())


def _shown(name: str) -> str:
    text = page(name)
    if name in SCHEMAS or not can_animate(sys.stdout):
        return text
    from xentcli.render.manual import render
    from xentcli.render.page import Page

    return render(text, Page(columns(sys.stdout), has_color(sys.stdout)))


def _written(folder: Path) -> str:
    """Write all samples beside the new folder first, so that it appears whole or not at all."""
    if folder.is_symlink() or (folder.exists() and not _is_empty(folder)):
        raise UsageError("samples are written to a new folder", at=str(folder), found="something is there already")
    check_new_folder(folder)
    try:
        beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            _fill(beside / "samples")
            (beside / "samples").replace(folder)
        finally:
            shutil.rmtree(beside)
    except OSError as error:
        raise UsageError("the samples cannot be written", at=str(folder), found=error.strerror or str(error)) from error
    return f"samples are in {folder}; try: xent compute {folder}/digits/logits.npy {folder}/digits/labels.npy\n"


def _fill(folder: Path) -> None:
    for name, content in samples():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
