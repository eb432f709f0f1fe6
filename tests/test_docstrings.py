"""The examples in the docstrings print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import xentcli

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(xentcli.__path__, "xentcli.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    """Somebody who pastes an example must see its result."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    """The test above would pass on a package without a single one."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = (test for name in MODULES for test in finder.find(importlib.import_module(name)))
    examples = sum(len(test.examples) for test in found)
    assert examples >= 8
