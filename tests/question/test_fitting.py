"""Which shapes of labels fit logits, and what a refusal says to do."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import chdir
from typing import TYPE_CHECKING

import numpy as np
import pytest
from process import xent_here

if TYPE_CHECKING:
    from pathlib import Path

GENERATOR = np.random.default_rng(3)


def true_mean(logits: np.ndarray, labels: np.ndarray, axis: int) -> float:
    """In 80 bits."""
    wide = np.moveaxis(logits.astype(np.longdouble), axis, -1).reshape(-1, logits.shape[axis])
    greatest = wide.max(axis=1)
    sums = np.log(np.exp(wide - greatest[:, None]).sum(axis=1)) + greatest
    return float((sums - wide[np.arange(len(wide)), labels.reshape(-1).astype(int)]).mean())


def ask(folder: Path, command: str):
    """What a command line of xent says, and its report if there is one."""
    ended = xent_here(*shlex.split(command), "--json", cwd=folder)
    return ended, json.loads(ended.out)["losses"]["reference"] if ended.code == 0 else None


def pasted(folder: Path, errors: str):
    """What the command at the end of a hint says; of two, the first is run first."""
    hint = re.search(r"^  hint .*$", errors, re.MULTILINE)
    assert hint, errors
    line = hint.group()
    if " && " in line:
        first, line = line[line.index("python -c") :].split(" && ")
        with chdir(folder):
            exec(shlex.split(first)[2], {})
    return ask(folder, line[line.index("xent compute") :].removeprefix("xent "))


LABELS = {
    "a column": ((6, 4), (6, 1), 1),
    "a row": ((6, 4), (1, 6), 1),
    "masks with a channel": ((2, 3, 4, 5), (2, 1, 4, 5), 1),
    "masks with a channel at the end": ((2, 3, 4, 5), (2, 4, 5, 1), 1),
    "a mask for one image": ((1, 3, 4, 5), (4, 5), 1),
    "one label for one sample": ((1, 4), (), 1),
    "a column for one sample": ((4,), (1,), 0),
}


@pytest.mark.parametrize("kind", ["int64", "float32"])
@pytest.mark.parametrize("name", LABELS)
def test_axes_of_length_one_fall_away(tmp_path, name, kind):
    """A CSV of one column is read: the same numbers in an array must be, too."""
    shape, own, axis = LABELS[name]
    logits = GENERATOR.standard_normal(shape).astype(np.float32)
    labels = GENERATOR.integers(0, shape[axis], own)
    np.save(tmp_path / "z.npy", logits)
    np.save(tmp_path / "y.npy", labels.astype(kind))
    ended, reference = ask(tmp_path, "compute z.npy y.npy")
    assert reference, ended.err
    assert reference["lower"] <= true_mean(logits, labels, axis) + 1e-15
    assert reference["upper"] >= true_mean(logits, labels, axis) - 1e-15


@pytest.mark.parametrize("kind", ["int64", "bool", "uint8"])
@pytest.mark.parametrize("axis", [1, 2])
def test_one_hot_integers_are_labels(tmp_path, kind, axis):
    """They are what `one_hot` of torch and scikit-learn gives."""
    logits = GENERATOR.standard_normal((3, 4, 5)).astype(np.float32)
    labels = GENERATOR.integers(0, logits.shape[axis], tuple(np.delete(logits.shape, axis)))
    one_hot = np.moveaxis(np.eye(logits.shape[axis])[labels], -1, axis).astype(kind)
    np.save(tmp_path / "z.npy", logits)
    np.save(tmp_path / "y.npy", one_hot)
    ended, reference = ask(tmp_path, f"compute z.npy y.npy --class-axis {axis}")
    assert reference, ended.err
    assert abs(reference["lower"] - true_mean(logits, labels, axis)) < 1e-14
    small, _ = ask(tmp_path, f"compute z.npy y.npy --class-axis {axis} --block-bytes 64")
    assert small.code == 0
    one_hot[1, :, 2] = one_hot[1, 2, :] = 1  # in the middle, where only a pass over all rows sees it
    np.save(tmp_path / "y.npy", one_hot)
    ended, _ = ask(tmp_path, f"compute z.npy y.npy --class-axis {axis}")
    assert ended.code == 2
    assert "neither one-hot nor a label" in ended.err
    assert "sample [1" in ended.err


@pytest.mark.parametrize(("axis", "shape"), [(2, (2, 3, 5)), (0, (5, 2, 3))])
def test_the_axis_that_fits_is_a_command(tmp_path, axis, shape):
    """Language-model layout is the commonest of all: the refusal must be one paste away from the number."""
    logits = GENERATOR.standard_normal(shape).astype(np.float32)
    labels = GENERATOR.integers(0, shape[axis], np.delete(shape, axis))
    for own in (labels.shape, (*labels.shape, 1)):
        np.save(tmp_path / "z.npy", logits)
        np.save(tmp_path / "y.npy", labels.reshape(own))
        first, _ = ask(tmp_path, "compute z.npy y.npy")
        assert first.code == 2
        ended, reference = pasted(tmp_path, first.err)
        assert reference, ended.err
        assert abs(reference["lower"] - true_mean(logits, labels, axis)) < 1e-14


def test_flat_labels_of_sequences_are_put_in_shape(tmp_path):
    """`labels.view(-1)` is how they stand where the loss is computed."""
    logits = GENERATOR.standard_normal((2, 3, 5)).astype(np.float32)
    labels = GENERATOR.integers(0, 5, 6)
    np.save(tmp_path / "z.npy", logits)
    np.save(tmp_path / "y.npy", labels)
    first, _ = ask(tmp_path, "compute z.npy y.npy --class-axis -1")
    ended, reference = pasted(tmp_path, first.err)
    assert reference, ended.err
    assert abs(reference["lower"] - true_mean(logits, labels, 2)) < 1e-14


@pytest.mark.parametrize("labels", [450, 5, 7])
def test_labels_of_another_file_are_not_called_transposed(tmp_path, labels):
    """450 labels for 6 rows fit no axis: the wrong option would be tried in vain."""
    np.save(tmp_path / "z.npy", np.zeros((6, 10)))
    np.save(tmp_path / "y.npy", np.zeros(labels, int))
    ended, _ = ask(tmp_path, "compute z.npy y.npy")
    assert f"labels of another file? these are {labels:,}, and the logits have 6 samples" in ended.err
    assert "class-axis" not in ended.err


@pytest.mark.parametrize("own", [(8,), (8, 1), (8, 1, 1), (2, 1, 2, 2)])
@pytest.mark.parametrize("theirs", [(8,), (8, 1), (2, 1, 2, 2), (2, 2, 2)])
@pytest.mark.parametrize("kind", ["i8", "f4", "?"])
@pytest.mark.parametrize("values", ["some", "none"])
def test_one_output_is_never_a_loss_of_zero(tmp_path, own, theirs, kind, values):
    """The softmax of one class is 1: every model would be perfect, with exit 0."""
    z = GENERATOR.standard_normal(8).astype(np.float32)
    y = GENERATOR.permutation(8) % 2 * (values == "some")
    np.save(tmp_path / "z.npy", z.reshape(own))
    np.save(tmp_path / "y.npy", y.reshape(theirs).astype(kind))
    first, _ = ask(tmp_path, "compute z.npy y.npy")
    assert first.code == 2
    assert "one logit" in first.err
    ended, reference = pasted(tmp_path, first.err)
    assert reference, ended.err
    assert abs(reference["lower"] - true_mean(np.stack([0 * z, z], 1), y, 1)) < 1e-14


@pytest.mark.parametrize("kind", ["i8", "u1", "?"])
@pytest.mark.parametrize("own", [(8,), (8, 1)])
def test_a_single_positive_among_integers_is_not_guessed_to_be_one_hot(tmp_path, kind, own):
    """Eight outputs with one positive label, or one sample of eight classes: the losses differ."""
    z = GENERATOR.standard_normal(8).astype(np.float32)
    y = np.arange(8) == 3
    np.save(tmp_path / "z.npy", z)
    np.save(tmp_path / "y.npy", y.reshape(own).astype(kind))
    first, _ = ask(tmp_path, "compute z.npy y.npy")
    assert first.code == 2
    ended, reference = pasted(tmp_path, first.err)
    assert reference, ended.err
    assert abs(reference["lower"] - true_mean(np.stack([0 * z, z], 1), y, 1)) < 1e-14


@pytest.mark.parametrize("kind", ["i8", "f4", "?"])
@pytest.mark.parametrize(("own", "theirs"), [((1, 8), (8,)), ((2, 4, 1), (2, 4))])
def test_an_axis_of_one_class_is_not_offered(tmp_path, kind, own, theirs):
    """A hint that leads to another refusal costs a try, and says nothing of what is wrong."""
    z, y = GENERATOR.standard_normal(8).astype(np.float32), GENERATOR.permutation(8) % 2
    np.save(tmp_path / "z.npy", z.reshape(own))
    np.save(tmp_path / "y.npy", y.reshape(theirs).astype(kind))
    first, _ = ask(tmp_path, "compute z.npy y.npy")
    assert "class-axis" not in first.err
    ended, reference = pasted(tmp_path, first.err)
    assert reference, ended.err
    assert abs(reference["lower"] - true_mean(np.stack([0 * z, z], 1), y, 1)) < 1e-14


def test_probabilities_of_one_sample_are_still_such(tmp_path):
    """A vector of logits and one of probabilities are what torch takes for one sample."""
    np.save(tmp_path / "z.npy", np.array([1.0, 2.0, 3.0]))
    np.save(tmp_path / "y.npy", np.array([0.0, 1.0, 0.0]))
    assert ask(tmp_path, "compute z.npy y.npy")[1]


def test_swapped_files_are_a_command(tmp_path):
    """LABELS LOGITS is the commonest slip of all."""
    logits, labels = GENERATOR.standard_normal((6, 4)), GENERATOR.integers(0, 4, 6)
    np.save(tmp_path / "z.npy", logits)
    np.save(tmp_path / "y.npy", labels)
    first, _ = ask(tmp_path, "compute y.npy z.npy")
    ended, reference = pasted(tmp_path, first.err)
    assert reference, ended.err
    assert abs(reference["lower"] - true_mean(logits, labels, 1)) < 1e-14
