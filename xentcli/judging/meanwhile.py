"""What is known while the work goes on: the loss of the rows so far, in the digits that more rows hardly change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentcli.judging.judge import so_far
from xentcli.judging.metrics import metrics_of

if TYPE_CHECKING:
    from xentcli.judging.judge import Question
    from xentcli.measuring.facts import Measured


def meanwhile(measured: Measured, question: Question) -> str:
    """The loss of the samples so far, to the second digit of its standard error where that is known."""
    error = _standard_error(measured) if question.reduction == "mean" else None
    if not error or not math.isfinite(error):
        return so_far(measured, question)
    text = so_far(measured, question, places=1 - math.floor(math.log10(error)))
    return f"{text} ± {error:.2g}" if text else ""


def _standard_error(measured: Measured) -> float | None:
    """Of the mean loss; None where weights or smoothing make it another one than that of -log p."""
    if measured.scores is None or measured.scores.total is not None:
        return None
    mean = metrics_of(measured)
    return None if mean is None or "nll" not in mean else mean["nll"].se
