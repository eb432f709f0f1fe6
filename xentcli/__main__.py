"""The door of `xent` and of `python -m xentcli`: what fails before the command line stands is no verdict."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NoReturn

from xentcli.errors import BUG, Exit
from xentcli.sources.extras import missing


def main() -> NoReturn:
    """Run the command line; the process ends with the contract's exit code, also where an import fails."""
    try:
        from xentcli.cli.main import main as run  # noqa: PLC0415  the door must stand before its rooms do
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BaseException as error:  # SystemExit, too: a module that exits has said nothing about a loss
        _tell(error)
        sys.exit(Exit.OUR_BUG)
    run()


def _tell(error: BaseException) -> None:
    told = missing(error)
    with suppress(OSError, AttributeError):  # a standard error that is full, or was closed
        if not told:
            sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.write(f"error: {told or BUG}\n")


if __name__ == "__main__":
    main()
