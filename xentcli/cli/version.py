"""`xent --version`: what a bug report needs, without importing torch."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from xentcli import __version__


def version(program: str) -> str:
    """A line each; ours is the first."""
    lines = [
        f"{program} {__version__}",
        f"torch {_torch()}",
        f"Python {platform.python_version()}",
        platform.platform(),
    ]
    return "".join(f"{line}\n" for line in lines)


def _torch() -> str:
    try:
        return installed("torch")
    except PackageNotFoundError:  # built from source, and never installed
        return "of an unknown version"
