"""What xent's own processes do with freed memory, counted in pages that the system had to give again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from xentcli.running.memory import keep_freed_memory

CHURN = """
import resource
from threading import Thread
import numpy as np
from xentcli.running.memory import keep_freed_memory
{before}
def churn():
    for _ in range(200):
        results = [np.empty(1 << 17) for _ in range(4)]
        for result in results:
            result.fill(1.0)
        del result, results
def faults():
    thread = Thread(target=churn)
    thread.start()
    thread.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = faults()
print(faults() - first)
"""


def pages_given_again(before: str) -> int:
    script = CHURN.format(before=before)
    return int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other habits")
def test_what_was_freed_is_used_again() -> None:
    """Four results of 1 MiB at once, in a thread; the default shows that the count sees fresh pages."""
    assert pages_given_again("keep_freed_memory()") < 1000
    assert pages_given_again("") > 10_000


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    keep_freed_memory()
