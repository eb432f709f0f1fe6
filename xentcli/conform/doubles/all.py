"""The whole cast."""

from __future__ import annotations

from importlib import import_module

from xentcli.conform.doubles.cast import WRONG, Double
from xentcli.conform.doubles.unusual import right

MODULES = (
    "options",
    "numerics",
    "sums",
    "blocks",
    "forms",
    "targets",
    "slopes",
    "backward",
    "variables",
)  # each puts its doubles into WRONG when it is imported


def wrong_cast() -> tuple[Double, ...]:
    """The wrong ones."""
    for name in MODULES:
        import_module(f"xentcli.conform.doubles.{name}")
    return tuple(WRONG)


def right_cast() -> tuple[Double, ...]:
    """The correct ones."""
    return tuple(right())
