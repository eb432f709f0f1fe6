"""The doubles of all losses by name."""

from __future__ import annotations

from xentcli.conform.kinds.doubles.linear import LINEAR

CAST = {"linear": LINEAR}
