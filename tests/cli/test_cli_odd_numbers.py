"""No number that anybody types or stores is a bug of ours: it is taken, refused or judged, and never exit code 3."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from process import xent_here

from xentcli.errors import Exit

ODD = (
    "0", "-0", "1", "-1", "nan", "inf", "-inf", "1e308", "-1e308", "1.7976931348623157e308", "1e309", "1e999", "-1e999",
    "1e-308", "5e-324", "2e-324", "1e-400", "9" * 400, "0." + "0" * 400 + "1", "1" * 5000, "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "2147483648",
    "0x10", "1_000", "٣", "1/2", "", "  1 ", "+5", "1e-44", "1e-300", "0.9999999999999999", "1001",
)  # fmt: skip
OPTIONS = (
    "--rtol", "--atol", "--digits", "--label-smoothing", "--rows", "--expect", "--ignore-index", "--class-axis",
    "--threads",
)  # fmt: skip
FORMATS = ("table", "json", "csv", "markdown", "junit", "github")
EXPECTED = {Exit.HOLDS, Exit.DIFFERS, Exit.BAD_INPUT, Exit.NOTHING_CHECKED}
STORED = (
    0.0,
    1.0,
    -1.0,
    5e-324,
    1e-310,
    1.7e308,
    -1.7e308,
    1e300,
    1e-300,
    745.2,
    -745.2,
    np.inf,
    -np.inf,
    np.nan,
    30.0,
)


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "logits.npy", np.array([[2.0, 0.0, -1.0], [0.5, 1.0, 3.0]]))
    np.save(tmp_path / "labels.npy", np.array([0, 1]))
    return tmp_path


@pytest.mark.parametrize("option", OPTIONS)
def test_an_odd_number_is_taken_or_refused(option, folder):
    """Exit code 3 in a CI log sends its reader to us, and not to the typing error."""
    for number, value in enumerate(ODD):
        form = FORMATS[number % len(FORMATS)]
        ended = xent_here("compute", "logits.npy", "labels.npy", f"{option}={value}", "-f", form, cwd=folder)
        assert ended.code in EXPECTED, (value[:40], ended.err)
        if form == "json" and ended.code != Exit.BAD_INPUT:
            json.loads(ended.out, parse_constant=pytest.fail)


@pytest.mark.parametrize("option", ["--scale", "--seed", "--samples", "--classes"])
def test_an_odd_number_of_random_data_is_taken_or_refused(option, folder):
    """The same where the data are drawn; counts that would fill the memory are another matter."""
    for value in ODD:
        if option in {"--samples", "--classes"} and len(value.strip()) > 5 and value.strip().isdigit():
            continue
        given = {"--samples": "3", "--classes": "3", "--seed": "1"} | {option: value}
        ended = xent_here("random", *(f"{name}={number}" for name, number in given.items()), "-q", cwd=folder)
        assert ended.code in EXPECTED, (value[:40], ended.err)


def save_odd(rng: random.Random, folder) -> list[str]:
    """Files of odd numbers, and the arguments that name them."""
    rows, classes, dtype = rng.randint(1, 4), rng.randint(1, 4), rng.choice((np.float64, np.float32, np.float16))

    def draw(*shape: int) -> np.ndarray:
        return np.array([rng.choice(STORED) for _ in range(int(np.prod(shape)))]).reshape(shape)

    with np.errstate(over="ignore"):
        np.save(folder / "x.npy", draw(rows, classes).astype(dtype))
        soft = np.nan_to_num(np.abs(draw(rows, classes)), posinf=2.0).astype(dtype)
        np.save(
            folder / "y.npy", soft if rng.random() < 0.3 else np.array([rng.randrange(classes) for _ in range(rows)])
        )
        np.save(folder / "w.npy", draw(classes).astype(dtype))
    chosen = ["--weight=w.npy"] * (rng.random() < 0.4) + ["--reduction=sum"] * (rng.random() < 0.3)
    cast = [f"--dtype={rng.choice(('float64', 'float32', 'bfloat16', 'float16'))}"] * (rng.random() < 0.3)
    return ["x.npy", "y.npy", *chosen, *cast, f"--reference={rng.choice(('fast', 'exact', 'off'))}"]


def check_odd(rng: random.Random, folder) -> None:
    files = save_odd(rng, folder)
    options = [f"{option}={rng.choice(ODD)}" for option in rng.sample(OPTIONS, k=rng.randint(0, 2))]
    command = ["explain"] if rng.random() < 0.15 else ["compute", "-f", rng.choice(FORMATS)]
    if command == ["explain"]:
        options = []
    ended = xent_here(*command, *files, *options, cwd=folder)
    assert ended.code in EXPECTED, (command, files, options, np.load(folder / "x.npy"), ended.err[-600:])


def test_odd_numbers_in_files_are_taken_or_refused(folder):
    """Infinities, NaN, subnormal and huge numbers in every place at once."""
    rng = random.Random(0)
    for _ in range(60):
        check_odd(rng, folder)


@pytest.mark.slow
def test_many_odd_numbers_in_files_are_taken_or_refused(folder):
    """The same for long."""
    rng = random.Random(1)
    for _ in range(4000):
        check_odd(rng, folder)
