"""The door of `xent` and of `python -m xentcli`: what fails before the command line stands is no verdict."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

from xentcli.errors import BUG, Exit
from xentcli.sources.extras import missing


def main() -> NoReturn:
    """Run the command line; the process ends with the contract's exit code, also where an import fails."""
    _fill_streams()
    try:
        from xentcli.cli.main import main as run  # noqa: PLC0415  the door must stand before its rooms do
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BaseException as error:  # SystemExit, too: a module that exits has said nothing about a loss
        _tell(error)
        sys.exit(Exit.OUR_BUG)
    run()


def _fill_streams() -> None:
    """Put nothing in the place of standard streams that are closed: the next file opened would be one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _tell(error: BaseException) -> None:
    told = missing(error)
    with suppress(OSError, AttributeError):  # a standard error that is full, or was closed
        if not told:
            sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.write(f"error: {told or BUG}\n")


if __name__ == "__main__":
    main()
