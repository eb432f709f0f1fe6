"""What is asked of torch about this machine."""

from __future__ import annotations

import pytest
import torch

from xentcli.losses.machine import flushes_subnormals, vector_lanes


def test_flush_mode_is_noticed():
    """Else underflow is explained at 104 nats where it happens at 87."""
    assert not flushes_subnormals()
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormals")
    try:
        assert flushes_subnormals()
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize(("capability", "lanes"), [("AVX512", 16), ("AVX2", 8), ("DEFAULT", 8), ("SVE256", None)])
def test_lanes_of_known_builds(capability, lanes, monkeypatch):
    """Else an unknown processor gets the tight bound of a known one."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert vector_lanes() == lanes
