"""Whole numbers that outgrow 64 bits, which few readers of JSON take for numbers."""

from __future__ import annotations


class Units(int):
    """A whole number of any size; records are saved with its hexadecimal digits."""

    __slots__ = ()
