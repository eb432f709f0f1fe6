"""The losses by name."""

from __future__ import annotations

from xentcli.conform.kinds.linear import LINEAR

KINDS = {"linear": LINEAR}
