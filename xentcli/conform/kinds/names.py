"""What the losses are called: for a command line that must not wait for torch."""

from __future__ import annotations

NAMES = ("linear",)
