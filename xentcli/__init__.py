"""Cross-entropy, computed and judged: torch's and the textbook's way against a proven enclosure of the true loss."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xentcli.api import compare as compare
    from xentcli.api import compute as compute
    from xentcli.errors import InputError as InputError
    from xentcli.errors import UsageError as UsageError
    from xentcli.errors import XentError as XentError
    from xentcli.records.comparison import Comparison as Comparison
    from xentcli.records.report import Report as Report

__version__ = "0.1.0"

# public name -> its module; imported when first used, since torch takes seconds
_HOMES = {
    "compare": "xentcli.api",
    "compute": "xentcli.api",
    "Comparison": "xentcli.records.comparison",
    "Report": "xentcli.records.report",
    "InputError": "xentcli.errors",
    "UsageError": "xentcli.errors",
    "XentError": "xentcli.errors",
}

__all__ = ["Comparison", "InputError", "Report", "UsageError", "XentError", "__version__", "compare", "compute"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
