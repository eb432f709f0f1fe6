"""The findings: what is worth saying of an input, or of the numbers that the paths gave."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from xentcli.diagnose.code import Code, favouring, scattered, softmax

if TYPE_CHECKING:
    import numpy as np

    from xentcli.diagnose.code import Call

INF = math.inf
GRID = [[0.5 + index * 37 % 128 / 256 for index in range(8 * row, 8 * row + 8)] for row in range(16)]
LABELS = [index * index % 5 for index in range(40)]
MANY = [index * index % 7 % 5 for index in range(80)]
PADDED = [[1 + (3 * row + place) % 4 if place < 3 + row % 4 else 0 for place in range(8)] for row in range(8)]
SCORES = [[round(1.0 / (1.0 + math.exp(-value)), 4) for value in row] for row in scattered(8, 4)]
NEXT = [*LABELS[1:], 0]


class Float32(list[list[float]]):
    """Numbers that numpy takes for float32; it is imported when somebody asks for the array, for Tab asks for names."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        import numpy as np  # noqa: PLC0415

        return np.array(list(self), dtype or np.float32, copy=copy)


def _finding(code: str, definition: str, example: Call) -> Code:
    return Code(code, "finding", definition, example)


FINDINGS = (
    _finding(
        "library-wrong",
        "The library's loss is off by more than rounding explains, or than the given tolerance allows.",
        {"logits": [[0.1, 0.7]], "labels": [0], "dtype": "float32", "reduction": "none", "atol": 0.0},
    ),
    _finding(
        "manual-wrong",
        "The manual path's loss is off by more than rounding explains, or than the given tolerance allows.",
        {"logits": [[0.0, 100.0]], "labels": [0], "dtype": "float32", "reduction": "none", "atol": 1e-3},
    ),
    _finding(
        "softmax-underflow",
        "A probability is smaller than the format's smallest number and becomes 0, its −log infinite.",
        {"logits": [[0.0, 104.0]], "labels": [0], "dtype": "float32"},
    ),
    _finding(
        "library-overflow",
        "A sum or a loss inside F.cross_entropy is greater than the format's largest number.",
        {"logits": [[0.0] * 65520], "labels": [0], "dtype": "float16"},
    ),
    _finding(
        "manual-overflow",
        "A sum or a loss of the manual path is greater than the format's largest number.",
        {"logits": [[0.0, 5.0], [0.0, 0.0]], "labels": [0, 1], "weight": [6e4, 1.0], "dtype": "float16"},
    ),
    _finding(
        "library-reduction-overflow",
        "The sum of the losses, or their number, is beyond the format in F.cross_entropy's own mean or sum.",
        {"logits": [[0.0, 0.0]] * 65520, "labels": [0] * 65520, "dtype": "float16"},
    ),
    _finding(
        "manual-reduction-overflow",
        "The sum of the manual path's losses is beyond the format.",
        {"logits": [[0.0, 8.0]] * 10000, "labels": [0] * 10000, "dtype": "float16", "reduction": "sum"},
    ),
    _finding(
        "nan-loss",
        "The loss of a sample is NaN: a logit is NaN or +inf, all are −inf, or 0 meets an infinity.",
        {"logits": [[0.0, math.nan], [0.0, 1.0]], "labels": [0, 1]},
    ),
    _finding(
        "zero-weight",
        "The weights of all labels that count add up to 0, and the mean divides by them.",
        {"logits": [[0.0, 1.0]], "labels": [0], "weight": [0.0, 1.0]},
    ),
    _finding(
        "cancelling-weights",
        "Weights of both signs cancel in what the mean is divided by, whose digits rounding takes.",
        {
            "logits": [[0.0, 1.0], [1.0, 0.0], [0.5, 0.0]],
            "labels": [0, 1, 0],
            "weight": [0.5, -0.9999999],
            "dtype": "float32",
        },
    ),
    _finding(
        "infinite-loss",
        "The true loss of a sample is infinite: its label is on a masked class.",
        {"logits": [[0.0, -INF], [1.0, 0.0]], "labels": [1, 0]},
    ),
    _finding(
        "nothing-counted", "There are no samples, or all of them are ignored.", {"logits": [[0.0]], "labels": [-100]}
    ),
    _finding(
        "sixteen-bit-accumulation",
        "torch adds 16-bit losses in 16 bits, and lost a noticeable part of them; reproduced bit for bit.",
        {"logits": [[0.0] * 10] * 1000, "labels": [0] * 1000, "dtype": "bfloat16"},
    ),
    _finding(
        "non-finite-logits",
        "A logit of a sample that counts is NaN or +inf.",
        {"logits": [[0.0, INF], [0.0, 1.0]], "labels": [0, 1]},
    ),
    _finding(
        "masked-classes",
        "A logit of a sample that counts is −inf: the class has probability 0.",
        {"logits": [[0.0, -INF, 1.0], [0.0, 1.0, 2.0]], "labels": [0, 1]},
    ),
    _finding(
        "probabilities-as-logits",
        "Every row of the logits is non-negative and adds up to 1.",
        {"logits": softmax(scattered(8, 4)), "labels": [0, 1, 2, 3, 0, 1, 2, 3]},
    ),
    _finding(
        "log-probabilities",
        "The exponentials of every row add up to 1: the loss of log-probabilities is that of the logits.",
        {
            "logits": [[math.log(value) for value in row] for row in softmax(scattered(8, 4))],
            "labels": [0, 1, 2, 3, 0, 1, 2, 3],
        },
    ),
    _finding(
        "scores-as-logits",
        "Every logit is between 0 and 1, and no row adds up to 1: sigmoid outputs, or other scores.",
        {"logits": SCORES, "labels": [0, 1, 2, 3, 0, 1, 2, 3]},
    ),
    _finding(
        "padded-classes",
        "The last classes have one logit in all rows, constant or −inf, and are no sample's label.",
        {"logits": [[*row, 0.0, 0.0] for row in scattered(8, 4)], "labels": [0, 1, 2, 3, 0, 1, 2, 3]},
    ),
    _finding(
        "clamped-values",
        "One in a hundred logits or more is the least or the greatest of all: a clamp or a ReLU cut off the others.",
        {
            "logits": [[max(value, 0.0) for value in row] for row in scattered(20, 10)],
            "labels": [row * 7 % 10 for row in range(20)],
        },
    ),
    _finding(
        "rows-off-one",
        "A row of numbers given as probabilities, or as their logarithms, does not add up to 1.",
        {"logits": [[0.5, 0.89, 0.6], [0.05, 0.01, 0.94]], "labels": [1, 2], "input": "probabilities"},
    ),
    _finding(
        "zero-probability",
        "A given probability is 0 and has no logarithm.",
        {"logits": [[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]], "labels": [1, 2], "input": "probabilities"},
    ),
    _finding(
        "probability-above-one",
        "A given probability is above 1, or a log-probability above 0, by no more than a rounding.",
        {"logits": [[1e-7, -16.0], [-0.5, -0.9327521]], "labels": [0, 1], "input": "log-probabilities"},
    ),
    _finding(
        "class-axis-elsewhere",
        "Labels fit much better along another axis that is as long, or target probabilities add up to 1 along another.",
        {
            "logits": [[row[place] for row in favouring(LABELS[:20], 20, 9.0)] for place in range(20)],
            "labels": LABELS[:20],
        },
    ),
    _finding(
        "labels-out-of-step",
        "The label of the neighbouring sample, along the last axis, fits much better than a sample's own.",
        {"logits": favouring(NEXT, 5), "labels": LABELS},
    ),
    _finding(
        "labels-off-by-one",
        "No label is 0, or none is the last class, and the neighbouring class fits much better.",
        {"logits": favouring(LABELS, 6), "labels": [label + 1 for label in LABELS]},
    ),
    _finding(
        "padding-label",
        "A frequent label stands only in runs that end sequences, and is not ignored.",
        {"logits": [scattered(8, 5)] * 8, "labels": PADDED, "class_axis": -1},
    ),
    _finding(
        "one-hot-labels",
        "Every row of labels is one 1 among zeros: one-hot targets read as labels.",
        {
            "logits": [scattered(6, 6)] * 12,
            "labels": [[int(place == row % 6) for place in range(6)] for row in range(12)],
            "class_axis": -1,
        },
    ),
    _finding(
        "constant-labels",
        "All labels that count are one, as random ones are once in 10⁹ times.",
        {"logits": scattered(20, 4), "labels": [2] * 20},
    ),
    _finding(
        "labels-are-argmax",
        "Every label is the class of the greatest logit, to which the logits themselves give a chance below 10⁻⁹.",
        {"logits": scattered(20, 4, 1.0), "labels": [row.index(max(row)) for row in scattered(20, 4, 1.0)]},
    ),
    _finding(
        "target-not-normalised",
        "The target probabilities of a sample do not add up to 1.",
        {"logits": [[0.0, 1.0], [1.0, 0.0]], "labels": [[0.5, 0.5], [0.9, 0.2]]},
    ),
    _finding(
        "equal-logits",
        "All logits of a row are equal, in eight rows or more.",
        {"logits": [[1.5] * 3] * 8, "labels": [0, 1, 2, 0, 1, 2, 0, 1]},
    ),
    _finding(
        "repeated-rows",
        "More than a tenth of the rows, and eight or more, are equal to an earlier one.",
        {"logits": scattered(10, 4) * 2, "labels": [label % 4 for label in LABELS[:20]]},
    ),
    _finding(
        "sixteen-bit-values",
        "All values of float32 logits are bfloat16 or float16 numbers: they went through that format.",
        {"logits": Float32(GRID), "labels": [index * 3 % 8 for index in range(16)]},
    ),
    _finding(
        "large-offset",
        "All logits are so far from 0 that logsumexp − x[y] loses most of the format's digits.",
        {
            "logits": [[value + 5e4 for value in row] for row in scattered(6, 4)],
            "labels": [2, 0, 1, 3, 3, 0],
            "dtype": "float32",
        },
    ),
    _finding(
        "chance-level",
        "The mean loss of 64 samples or more is within 2 % of ln C, what guessing costs.",
        {"logits": scattered(80, 5, 0.1), "labels": MANY},
    ),
    _finding(
        "loss-below-float32",
        "Half of the losses or more are positive and below 2⁻²⁴, which float32 cannot add to 1.",
        {"logits": [[0.0, 20.0], [30.0, 0.0]], "labels": [1, 0], "dtype": "float32"},
    ),
)
