"""The packages that some files and options need, and what installs each; imported when the first is needed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from xentcli.errors import UsageError

EXTRAS = {"arrow": "pyarrow", "hdf5": "h5py", "zstd": "zstandard"}  # the extra -> what is imported
PACKAGES = {"flint": "python-flint"}  # what is imported -> what installs it, where that has another name


def is_installed(extra: str) -> bool:
    """Whether the extra's package is here; it is not imported."""
    return find_spec(EXTRAS[extra]) is not None


def import_extra(extra: str, module: str = "") -> Any:
    """The extra's package, or a module of it; UsageError that says how to install it."""
    package = EXTRAS[extra]
    try:
        return import_module(f"{package}{module}")
    except ModuleNotFoundError as error:
        raise _not_installed(package) from error


def check_installed(extra: str) -> None:
    """UsageError that says how to install the extra's package, where it is not here."""
    if not is_installed(extra):
        raise _not_installed(EXTRAS[extra])


def _not_installed(package: str) -> UsageError:
    return UsageError(f"this format needs {package}, which is not installed here", hint=install(package))


def install(module: str) -> str:
    """The command that installs what `import module` wants; xentcli itself is on no index, so no extra of it."""
    return f"pip install {PACKAGES.get(module, module)}"


def missing(error: BaseException) -> str:
    """What to install, if a package that is not here is all that is wrong; else "": a package may be broken."""
    module = error.name if isinstance(error, ModuleNotFoundError) else None
    if not module or "." in module or module == "xentcli":
        return ""
    return str(UsageError(f"xent needs {module}, which is not installed here", hint=install(module)))
