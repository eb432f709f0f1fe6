"""The packages that some formats need, each imported when its first file comes."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from xentcli.errors import UsageError

EXTRAS = {"arrow": "pyarrow", "zstd": "zstandard"}  # the extra -> what is imported


def is_installed(extra: str) -> bool:
    """Whether the extra's package is here; it is not imported."""
    return find_spec(EXTRAS[extra]) is not None


def import_extra(extra: str, module: str = "") -> Any:
    """The extra's package, or a module of it; UsageError that says how to install it."""
    package = EXTRAS[extra]
    try:
        return import_module(f"{package}{module}")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"this format needs {package}, which is not installed here", hint=f"pip install 'xentcli[{extra}]'"
        ) from error
