"""The cases of each loss against its doubles: what is wrong is caught by its family, what is right passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xentcli.conform.kinds.asking import InProcess
from xentcli.conform.kinds.doubles.cast import CAST
from xentcli.conform.kinds.judging import judge
from xentcli.conform.kinds.names import NAMES
from xentcli.conform.kinds.registry import KINDS
from xentcli.conform.kinds.run import self_check
from xentcli.docs.pages import page

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


def test_the_manual_tells_of_every_loss() -> None:
    """Who writes an adapter reads there what it is called with."""
    text = page("conform")
    for name, kind in KINDS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        options = [word for word in kind.keywords if word not in kind.offered]
        assert all(option in row for option in options), name


@pytest.mark.parametrize("name", NAMES)
def test_certified_values_are_tight(name: str) -> None:
    """A bound that a relative error of 1 in 1,000 passes in float32 would let real faults pass."""
    kind = KINDS[name]
    right = next(each for each in CAST[name] if not each.family)
    told = 0
    for call in (each for each in kind.cases() if each.dtype == "float32" and each.family in {"smoke", "plain"}):
        answer = InProcess(right.name, right.function).ask(kind, call)
        assert judge(kind, call, answer).outcome == "passes"
        for key, values in answer.results.items():
            moved = {**answer.results, key: values * (1.0 + 1e-3)}
            assert judge(kind, call, replace(answer, results=moved)).outcome == "fails", (call.name, key)
            told += 1
    assert told >= 3


@pytest.mark.parametrize("name", NAMES)
def test_cases_are_named_once_and_of_known_families(name: str) -> None:
    """A case that shares its name with another one cannot be asked for."""
    kind = KINDS[name]
    cases = kind.cases()
    assert len({case.name for case in cases}) == len(cases) >= 10
    assert {case.family for case in cases} == set(kind.families)
    assert cases[0].family == "smoke"
