"""`xent`: the group of commands, and how everything that ends a run becomes an exit code."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click
from click.core import ParameterSource
from click.shell_completion import shell_complete

from xentcli.cli.command import SETTINGS_FILE, Group
from xentcli.cli.compare import compare
from xentcli.cli.completion import completion
from xentcli.cli.compute import compute
from xentcli.cli.conform import conform
from xentcli.cli.docs import docs
from xentcli.cli.ending import end_now, ending
from xentcli.cli.explain import explain
from xentcli.cli.formats import formats
from xentcli.cli.merge import merge
from xentcli.cli.options import EPILOG
from xentcli.cli.random import random
from xentcli.cli.room import shortage
from xentcli.cli.settings import place
from xentcli.cli.terminal import complain, discard_unwritten, prepare_streams, remark, say
from xentcli.errors import BUG, Exit, InputError, UsageError, XentError
from xentcli.sources.extras import missing

COMMAND = "xent"
ALLOCATIONS = 100_000  # between searches for garbage; by default they take a tenth of the time that torch's import does


EXAMPLES = (
    "xent random --samples 4 --classes 10 --seed 0",
    "xent random --samples 4 --classes 10 --seed 0 --save data -q",
    "xent compute data/logits.npy data/labels.npy --expect 2.998",
)


def _tell_version(context: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """Print what a bug report needs, and end."""
    if wanted and not context.resilient_parsing:
        from xentcli.cli.version import version

        say(version(COMMAND))
        context.exit()


@click.group(
    cls=Group,
    examples=EXAMPLES,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the versions of xent, torch and Python, and exit.",
)
def xent() -> None:
    """Compute a cross-entropy and decide whether it is right.

    Every run computes the loss by torch's cross_entropy and by the textbook's softmax, gather and -log, and says
    whether they hold. The exit code is the verdict: 0 holds, 1 does not hold, 2 bad input, 3 a bug of ours,
    5 nothing was checked or decided.
    """


for command in (compute, random, explain, compare, conform, merge, formats, docs, completion):
    xent.add_command(command)


def main() -> NoReturn:
    """Run the command line; the process ends with the contract's exit code."""
    gc.set_threshold(ALLOCATIONS)
    prepare_streams()
    with ending():
        try:
            code = _exit_code()
        except OSError:  # the error cannot be told, and is one nevertheless
            code = Exit.BAD_INPUT
        discard_unwritten()
    gc.freeze()  # what is left ends with the process, and need not be searched for garbage once more
    sys.exit(code)


def _exit_code() -> int:
    try:
        return _run(sys.argv[1:])
    except click.exceptions.Exit as end:  # after --help, say
        return end.exit_code
    except BrokenPipeError:
        return Exit.READER_GONE
    except (KeyboardInterrupt, SystemExit) as asked:
        _end(asked)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Exit.BAD_INPUT
    except Exception as error:  # the last resort: a bug of ours must not look like a verdict
        return _tell(error)


def _end(asked: KeyboardInterrupt | SystemExit) -> NoReturn:
    """End the process now: threads in the middle of a block would be waited for otherwise."""
    with suppress(OSError):
        for note in getattr(asked, "__notes__", [""] if isinstance(asked, KeyboardInterrupt) else []):
            remark(note)
    discard_unwritten()
    end_now(int(asked.code or 0) if isinstance(asked, SystemExit) else Exit.INTERRUPTED)


def _run(arguments: list[str]) -> int:
    """What click's own `main` does, which makes a reader that went away look like a verdict: it exits with 1."""
    if instruction := os.environ.get("_XENT_COMPLETE"):
        return shell_complete(xent, {}, COMMAND, "_XENT_COMPLETE", instruction)
    with xent.make_context(COMMAND, arguments) as context:
        return int(xent.invoke(context) or Exit.HOLDS)


def _tell(error: Exception) -> Exit:
    if lacking := missing(error):
        complain(lacking)
        return Exit.OUR_BUG
    mendable = _mendable(error)
    if mendable is None:
        sys.excepthook(type(error), error, error.__traceback__)
        complain(BUG)
        return Exit.OUR_BUG
    complain(str(mendable))
    return mendable.exit_code


def _mendable(error: Exception) -> XentError | None:
    """The error in our words, if the user can do something about it."""
    match error:
        case XentError():
            return error
        case click.ClickException():
            return _usage_error(error)
        case OSError(errno=int()):  # files have their own errors: this is a full disk, not a library that torch lacks
            return InputError("the system refused", at=str(error.filename or ""), found=error.strerror or str(error))
    return shortage(error)


def _usage_error(error: click.ClickException) -> UsageError:
    """What click found, with where the value came from if it was not typed, and where to read on."""
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path} --help" if context else ""
    return UsageError(" ".join(error.format_message().split()), at=_origin(error), hint=hint)


def _origin(error: click.ClickException) -> str:
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None:
        return ""
    source = error.ctx.get_parameter_source(str(error.param.name))
    if source == ParameterSource.ENVIRONMENT:
        return f"the environment variable {error.param.envvar}"
    if source == ParameterSource.DEFAULT_MAP:
        return place(Path(str(error.ctx.meta.get(SETTINGS_FILE))))
    return ""
