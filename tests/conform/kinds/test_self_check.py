"""The cases of each loss against its doubles: what is wrong is caught by its family, what is right passes."""

from __future__ import annotations

import pytest

from xentcli.conform.kinds.doubles.cast import CAST
from xentcli.conform.kinds.names import NAMES
from xentcli.conform.kinds.registry import KINDS
from xentcli.conform.kinds.run import self_check

LEAST_WRONG = 3


def test_the_registries_name_the_same_losses() -> None:
    """A loss that the command line does not offer, or without doubles, is judged by nobody."""
    assert tuple(KINDS) == tuple(CAST) == NAMES
    assert all(kind.name == name for name, kind in KINDS.items())


@pytest.mark.parametrize("name", NAMES)
def test_wrong_doubles_are_caught_and_right_ones_pass(name: str) -> None:
    """Who judges a kernel learns of its fault in the family that is about it, and of none that it has not."""
    check = self_check(KINDS[name])
    assert [each.name for each in check.survivors] == []
    assert {each.name: each.failed for each in check.flagged} == {}
    assert len(check.wrong) >= LEAST_WRONG
    assert check.right


@pytest.mark.parametrize("name", NAMES)
def test_cases_are_named_once_and_of_known_families(name: str) -> None:
    """A case that shares its name with another one cannot be asked for."""
    kind = KINDS[name]
    cases = kind.cases()
    assert len({case.name for case in cases}) == len(cases) >= 10
    assert {case.family for case in cases} == set(kind.families)
    assert cases[0].family == "smoke"
