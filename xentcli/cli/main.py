"""`xent`: the group of commands, and how everything that ends a run becomes an exit code."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from xentcli import __version__
from xentcli.cli.completion import completion
from xentcli.cli.compute import compute
from xentcli.cli.options import EPILOG
from xentcli.cli.random import random
from xentcli.cli.settings import read_settings
from xentcli.errors import Exit, XentError

if TYPE_CHECKING:
    from types import FrameType

COMMAND = "xent"


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name=COMMAND, message="%(prog)s %(version)s")
def xent() -> None:
    """Compute a cross-entropy and decide whether it is right.

    Every run computes the loss by torch's cross_entropy and by the textbook's softmax, gather and -log, and says
    whether they hold. The exit code is the verdict: 0 holds, 1 does not hold, 2 bad input, 3 a bug of ours,
    5 nothing was checked.
    """


for command in (compute, random, completion):
    xent.add_command(command)


def main() -> NoReturn:
    """Run the command line; the process ends with the contract's exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a sign shows its code, no traceback
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # nobody reads: give the interpreter's own last flush somewhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.READER_GONE
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED
    except XentError as error:
        return _complain(str(error), error.exit_code)
    except click.ClickException as error:
        return _complain(_usage(error), Exit.BAD_INPUT)
    except Exception as error:  # the last resort: a bug of ours must not look like a verdict
        sys.excepthook(type(error), error, error.__traceback__)
        return _complain("this is a bug in xent; please report it with the lines above", Exit.OUR_BUG)
    return code


def _run() -> int:
    if "_XENT_COMPLETE" in os.environ:  # the shell asks: click answers and exits by itself
        return int(xent.main(prog_name=COMMAND))
    result = xent.main(prog_name=COMMAND, standalone_mode=False, default_map=read_settings(xent, Path.cwd()))
    return int(result or 0)


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    hint = f"\n  {'hint':<8}  {context.command_path} --help" if context else ""
    return f"{error.format_message()}{hint}"


def _complain(message: str, code: Exit) -> int:
    click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    return code


def _terminated(number: int, _frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does, so that unfinished files are removed; the code is the shell's for this signal."""
    sys.exit(128 + number)
