"""`xent --version`: what a bug report needs, without importing torch."""

from __future__ import annotations

import platform
import re
from importlib.util import find_spec
from pathlib import Path

from xentcli import __version__

OWN = re.compile(r"^__version__ = ['\"]([^'\"]+)['\"]", re.MULTILINE)


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
    """As torch's own file says it: the version that pip knows may lack what it was built for, as +cu124."""
    found = find_spec("torch")
    path = None if found is None or found.origin is None else Path(found.origin).with_name("version.py")
    said = None if path is None or not path.is_file() else OWN.search(path.read_text(errors="replace"))
    return "of an unknown version" if said is None else said[1]
