"""The battery catches every wrong double by the family that is meant for it, and flags no correct one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from xentcli.conform.asking.implementation import InProcess
from xentcli.conform.battery import Run
from xentcli.conform.cases.corpus import corpus
from xentcli.conform.doubles.all import right_cast, wrong_cast
from xentcli.conform.doubles.cast import Double
from xentcli.conform.selfcheck import TOLERANCES, one_thread, survives
from xentcli.docs.pages import page

CASES = corpus().chosen((), (), large=False)
SLOW = {"half-accumulation", "half-overflow", "reductions", "many-classes"}  # families of many rows or classes
FAILED = {"fails", "differs by convention"}


@pytest.fixture(autouse=True, scope="module")
def alone() -> Iterator[None]:
    """As the self-check itself does."""
    with one_thread():
        yield


def failures(double: Double, families: set[str]) -> list[str]:
    run = Run(InProcess(double.name, double.function, double.arrays), [])
    results = [run.result(case) for case in CASES if case.family in families]
    return [result.name for result in results if result.outcome in FAILED]


def test_the_cast_is_large_enough() -> None:
    """A battery that is proven on five faults is proven on five faults."""
    assert len(wrong_cast()) >= 180
    assert len(right_cast()) >= 22
    assert len({double.name for double in wrong_cast()}) == len(wrong_cast())
    assert all(double.report.startswith("https://") and double.what for double in wrong_cast())


def test_every_family_has_a_double() -> None:
    """A family that no wrong implementation was seen to fail may be unable to fail."""
    assert {double.family for double in wrong_cast()} == set(corpus().families) - {"smoke"}


@pytest.mark.parametrize("double", wrong_cast(), ids=lambda double: double.name)
def test_a_wrong_double_is_caught_by_its_family(double: Double) -> None:
    """Somebody's kernel with this very bug would pass."""
    assert failures(double, {double.family})


@pytest.mark.parametrize("double", right_cast(), ids=lambda double: double.name)
def test_a_correct_double_is_not_flagged(double: Double) -> None:
    """A correct kernel that goes an unusual way would be called broken."""
    assert not failures(double, set(corpus().families) - SLOW)


@pytest.mark.slow
@pytest.mark.parametrize("double", right_cast(), ids=lambda double: double.name)
def test_a_correct_double_is_not_flagged_by_large_cases(double: Double) -> None:
    """The same for many rows and classes."""
    assert not failures(double, SLOW)


def test_torch_fails_in_16_bits_and_at_ignored_rows_that_are_not_numbers_alone() -> None:
    """The page on judging says so, and a torch that is mended or broken elsewhere makes it wrong."""
    double = Double("torch", "", torch.nn.functional.cross_entropy)
    failed = failures(double, set(corpus().families))
    assert {name.split("/")[0] for name in failed} == {"half-overflow", "half-accumulation", "gradient-ignored"}


def test_the_page_says_how_many_pass_a_usual_test() -> None:
    """The numbers that make somebody try the battery must be those that it prints."""
    told = page("conform")
    passing = {name: sum(survives(each, limits) for each in wrong_cast()) for name, limits in TOLERANCES.items()}
    said = f"lets {passing['torch.testing.assert_close']} of the {len(wrong_cast())} pass"
    assert said in told.replace("\n", " ")
    assert f"and {passing['rtol 5e-2']} at rtol 5e-2" in told.replace("\n", " ")
    assert f"of {len(wrong_cast())} wrong doubles" in told
    assert f"none of {len([each for each in right_cast() if each.name != 'jax'])} correct" in told
