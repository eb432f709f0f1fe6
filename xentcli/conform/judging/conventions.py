"""What other libraries mean by the same options: values that differ from torch's by a documented decision.

Computed in float64, which is finer than any of the tolerances they are compared with; a wrong kernel that happens to
follow one of them is named after it, and does not conform either way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from xentcli.conform.cases import reports
from xentcli.conform.judging.hypothesis import Hypothesis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.conform.judging.call import Call

    Results = tuple[torch.Tensor, ...]


def _bits(call: Call) -> Results:
    return (call.result(call.losses()) / math.log(2.0),)


def _over_samples(call: Call) -> Results:
    return _mean(call, float(call.counted.count_nonzero())) if call.labels is not None else ()


def _over_all(call: Call) -> Results:
    return _mean(call, float(len(call.leaf))) if call.labels is not None else ()


def _over_batch(call: Call) -> Results:
    return _mean(call, float(call.batch))


def _over_elements(call: Call) -> Results:
    return _mean(call, float(call.leaf.numel())) if call.labels is None else ()


def _over_target_weights(call: Call) -> Results:
    return _mean(call, float((call.targets() * call.weight).sum())) if call.labels is None else ()


def _mean(call: Call, divisor: float) -> Results:
    return (call.result(call.losses(), divisor),) if call.case.reduction == "mean" else ()


def _smooths_others(call: Call) -> Results:
    if not _smooths_labels(call) or call.classes < 2:
        return ()
    others = call.smoothing / (call.classes - 1)
    spread = call.targets() * (1.0 - call.smoothing - others) + others
    return (call.result(call.losses(coefficients=call.weight * spread)),)


def _smooths_by_label_weight(call: Call) -> Results:
    if not _smooths_labels(call):
        return ()
    return (call.result(call.losses(coefficients=call.weight[call.safe][:, None] * _smoothed(call))),)


def _smooths_by_mean_weight(call: Call) -> Results:
    """Each sample weighs what its smoothed target weighs, and the mean is over these weights."""
    if not _smooths_labels(call) or not call.weighted:
        return ()
    smoothed = _smoothed(call)
    weights = (smoothed * call.weight).sum(1)
    losses = call.losses(coefficients=weights[:, None] * smoothed)
    return (call.result(losses, float(weights[call.counted].sum())),)


def _smooths_unweighted(call: Call) -> Results:
    """The smooth part has no weights, and a mean of its own, over the samples."""
    if not _smooths_labels(call) or not call.weighted:
        return ()
    hard = call.losses(coefficients=call.weight * (1.0 - call.smoothing) * call.targets())
    smooth = call.losses(coefficients=torch.full_like(call.leaf, call.smoothing / call.classes))
    return (call.result(hard) + call.result(smooth, float(call.counted.count_nonzero())),)


def _smooths_labels(call: Call) -> bool:
    return bool(call.smoothing) and call.labels is not None


def _smoothed(call: Call) -> torch.Tensor:
    return (1.0 - call.smoothing) * call.targets() + call.smoothing / call.classes


def _normalises(call: Call) -> Results:
    if call.labels is not None:
        return ()
    target = call.targets()
    normal = target / target.sum(1, keepdim=True)
    share = call.smoothing
    coefficients = call.weight * ((1.0 - share) * normal + share / call.classes)
    return (call.result(call.losses(coefficients=coefficients)),)


def _one_log_sum(call: Call) -> Results:
    """log Σ exp x − Σ q·x, in place of Σ q·(log Σ exp x − x)."""
    if call.labels is not None or call.weighted:
        return ()
    products = torch.where(call.coefficients() == 0.0, 0.0, call.coefficients() * call.rows)
    return (call.result(torch.logsumexp(call.rows, 1) - products.sum(1)),)


CONVENTIONS = {each.code: each for each in (
    Hypothesis("target-weights-in-mean", "the mean is over the weights of the target probabilities",
               _over_target_weights),
    Hypothesis("mean-over-elements", "the mean is over all elements, the classes too", _over_elements),
    Hypothesis("weights-not-in-mean", "the mean is over the samples, not over their weights", _over_samples,
               known=reports.WEIGHTED_MEAN),
    Hypothesis("ignored-in-mean", "the mean is over all samples, the ignored ones too", _over_all,
               known=reports.IGNORED_DENOMINATOR),
    Hypothesis("mean-over-batch", "the mean is over the batch axis alone", _over_batch),
    Hypothesis("smoothing-over-others", "smoothing is over the other classes", _smooths_others,
               known=reports.SMOOTHING_OTHERS),
    Hypothesis("smoothing-by-label-weight", "smoothing takes the weight of the label", _smooths_by_label_weight,
               known=reports.SMOOTHING_WEIGHTED),
    Hypothesis("smoothing-by-mean-weight", "a sample weighs what its smoothed target weighs, as in Paddle",
               _smooths_by_mean_weight),
    Hypothesis("smoothing-unweighted", "the smooth part has no weights, and its mean is over the samples, as in fastai",
               _smooths_unweighted, known=reports.SMOOTHING_WEIGHTED),
    Hypothesis("target-normalised", "target probabilities are scaled to sum to 1", _normalises,
               known=reports.NORMALISED),
    Hypothesis("one-log-sum", "logsumexp counts once, whatever the target probabilities add up to", _one_log_sum),
    Hypothesis("bits", "the loss is in bits, not in nats", _bits),
)}  # fmt: skip


def harmless(call: Call) -> Iterator[tuple[str, torch.Tensor]]:
    """Answers that are as good as torch's NaN: told apart by name, and not held against anybody."""
    if call.case.reduction == "mean" and not call.divisor:
        yield "the mean of no samples is 0 (torch: NaN)", torch.zeros(1, dtype=torch.float64)
    if call.labels is None:
        yield "0 · log 0 counts as 0 (torch: NaN)", call.result(call.losses(zero_times_infinity=0.0))
    if call.case.reduction == "none" and call.labels is not None:
        yield "another class's infinite logit makes the loss infinite (torch: NaN)", call.with_infinite_logits()
