"""Mistakes of the logarithm of a probability: what is clipped, what underflows, and what a row is shifted by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch

from xentcli.conform.cases import reports
from xentcli.conform.judging.hypothesis import Hypothesis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xentcli.conform.judging.call import Call

    Results = tuple[torch.Tensor, ...]
    Changed = Callable[[torch.Tensor], torch.Tensor]

EPSILONS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-20)
FLOORS = (1e-5, 1e-6, 1e-7, 1e-8, 1e-12)
STARTS = (0.0, -100.0, -1e3, -1e4, -65504.0, -1e5, -1e6, -1e9)  # of a maximum
GAPS = (20.0, 50.0, 64.0, 80.0, 87.0, 88.0, 100.0)
BLOCKS = tuple(1 << exponent for exponent in range(3, 18))
NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


def arithmetic_of(call: Call) -> torch.dtype:
    """What a good kernel computes in."""
    return torch.float64 if call.inputs.dtype == "float64" else torch.float32


def of_logs(call: Call, *logs: torch.Tensor) -> Results:
    """The results of such −log p, [rows, classes] each."""
    return tuple(call.result(call.losses(logs=each.double())) for each in logs)


def _of_probability(change: Changed, call: Call) -> Results:
    """−log of a changed probability, as the arithmetic gives it and at both ends of what p may be rounded to.

    A p below the normal range may be 0, and one below half of the smallest number is.
    """
    kind = torch.finfo(arithmetic_of(call))
    smallest = kind.tiny * kind.eps
    chance, spread = (-call.logs).exp(), kind.eps * (16.0 + min(call.classes, 256))
    if change is not _itself and torch.equal(change(chance), chance):
        return ()
    kept = torch.where(chance < smallest / 4.0, 0.0, chance)
    high = (kept * (1.0 + spread) + torch.where(kept > 0.0, smallest, 0.0)).clamp(max=1.0)
    low = torch.where(kept < 2.0 * kind.tiny, 0.0, kept * (1.0 - spread))
    middle = torch.softmax(call.rows.to(arithmetic_of(call)), 1) if change is _itself else chance
    return of_logs(call, *(-change(each).log() for each in (middle, high, low)))


def _itself(chance: torch.Tensor) -> torch.Tensor:
    return chance


def _clipped(epsilon: float, chance: torch.Tensor) -> torch.Tensor:
    return chance.clamp(epsilon, 1.0 - epsilon)


def _clipped_below(epsilon: float, chance: torch.Tensor) -> torch.Tensor:
    return chance.clamp(min=epsilon)


def _raised(epsilon: float, chance: torch.Tensor) -> torch.Tensor:
    return chance + epsilon


def _shifted_by(call: Call, greatest: torch.Tensor) -> Results:
    rows = call.rows.to(arithmetic_of(call))
    shifted = rows - greatest.to(rows.dtype)
    return of_logs(call, shifted.exp().sum(1, keepdim=True).log() - shifted)


def _unshifted(call: Call) -> Results:
    return _shifted_by(call, torch.zeros(1))


def _maximum_from(start: float, call: Call) -> Results:
    if not call.rows.numel():
        return ()
    greatest = call.rows.detach().amax(1, keepdim=True)
    return _shifted_by(call, greatest.clamp(min=start)) if bool((greatest < start).any()) else ()


def _maximum_of_batch(call: Call) -> Results:
    return _shifted_by(call, call.rows.detach().amax()) if call.rows.numel() else ()


def _gap_clamped(most: float, call: Call) -> Results:
    gaps = call.rows - _top(call)
    if not bool((gaps < -most).any()):
        return ()
    shifted = gaps.clamp(min=-most)
    return of_logs(call, shifted.exp().sum(1, keepdim=True).log() - shifted)


def _loss_floor(epsilon: float, call: Call) -> Results:
    if call.labels is None or not bool((call.logs < epsilon).any()):
        return ()
    return of_logs(call, call.logs.clamp(min=epsilon))


def _logits_narrowed(dtype: str, call: Call) -> Results:
    kind = NARROW[dtype]
    if kind.itemsize >= call.inputs.logits.element_size():
        return ()
    narrowed = call.rows.to(kind).double()
    return () if torch.equal(narrowed, call.rows) else of_logs(call, -torch.log_softmax(narrowed, 1))


def _log_sum_narrowed(dtype: str, call: Call) -> Results:
    """Its rounding may go either way where the sum is near the middle of two numbers."""
    shifted, kind = call.rows - _top(call), NARROW[dtype]
    total = torch.logsumexp(shifted, 1, keepdim=True)
    unit = torch.finfo(arithmetic_of(call)).eps
    return of_logs(call, *((total * (1.0 + each * unit)).to(kind).double() - shifted for each in (0.0, 8.0, -8.0)))


def _sum_in_16_bits(call: Call) -> Results:
    """Of the exponentials, stored in the logits' own dtype: beyond its greatest number it is infinite."""
    kind = call.inputs.logits.dtype
    if kind not in {torch.bfloat16, torch.float16}:
        return ()
    shifted = call.rows - _top(call)
    return of_logs(call, shifted.exp().sum(1, keepdim=True).to(kind).double().log() - shifted)


def _classes_of_sum(stop: int, call: Call) -> Results:
    """Only the classes before `stop`, which may be negative, are in the sum."""
    if call.classes < 2 or (stop > 0 and call.classes <= stop):
        return ()
    return of_logs(call, torch.logsumexp(call.rows[:, :stop], 1, keepdim=True) - call.rows)


def _padded_class(call: Call) -> Results:
    padded = torch.nn.functional.pad(call.rows, (0, 1))
    return of_logs(call, torch.logsumexp(padded, 1, keepdim=True) - call.rows)


def _nan_spreads(call: Call) -> Results:
    return (call.result(call.losses() + torch.nan),) if bool(call.rows.isnan().any()) else ()


def _top(call: Call) -> torch.Tensor:
    """The maximum of each row; 0 where that is not finite."""
    top = call.rows.detach().amax(1, keepdim=True) if call.classes else call.rows[:, :1]
    return torch.where(top == -torch.inf, 0.0, top)


# fmt: off
def _hypotheses() -> Iterator[Hypothesis]:
    yield Hypothesis("log-of-softmax", "the loss is the logarithm of a rounded softmax",
                     partial(_of_probability, _itself),
                     "softmax rounds p, to 0 below the smallest number and to 1 next to it", reports.UNDERFLOW)
    for epsilon in EPSILONS:
        why = f"no p below {epsilon:g} has a loss of its own, nor a gradient"
        yield Hypothesis(f"clip-below-{epsilon:g}", f"probabilities are clipped at {epsilon:g}",
                         partial(_of_probability, partial(_clipped_below, epsilon)), why, reports.CLIPPED)
        yield Hypothesis(f"clip-{epsilon:g}", f"probabilities are clipped to [{epsilon:g}, 1 - {epsilon:g}]",
                         partial(_of_probability, partial(_clipped, epsilon)), why, reports.CLIPPED)
        yield Hypothesis(f"epsilon-{epsilon:g}", f"the loss is -log(p + {epsilon:g})",
                         partial(_of_probability, partial(_raised, epsilon)),
                         f"p below {epsilon:g} drowns in it, and p = 1 has a loss below 0", reports.CLIPPED)
    for epsilon in FLOORS:
        yield Hypothesis(f"loss-floor-{epsilon:g}", f"no loss is below {epsilon:g}", partial(_loss_floor, epsilon),
                         "a confident row has a smaller one")
    yield Hypothesis("unshifted-exp", "exp is taken of logits that are not shifted", _unshifted,
                     "exp overflows above 88.7 in float32, and underflows below -103", reports.UNDERFLOW)
    for start in STARTS:
        name = f"maximum-starts-at-{abs(start):g}"
        yield Hypothesis(name, f"the maximum of a row starts at {start:g}",
                         partial(_maximum_from, start), "a row whose logits are all smaller underflows")
    yield Hypothesis("maximum-of-batch", "all rows are shifted by the maximum of the batch", _maximum_of_batch,
                     "a row far below it underflows")
    for most in GAPS:
        yield Hypothesis(f"gap-clamped-{most:g}", f"logits are clamped to {most:g} below the maximum",
                         partial(_gap_clamped, most), "no loss can be greater, but for log C")
    for dtype in NARROW:
        yield Hypothesis(f"logits-through-{dtype}", f"the logits pass through {dtype}",
                         partial(_logits_narrowed, dtype), f"{dtype} has fewer digits than they were given with")
    for dtype in ("bfloat16", "float16"):
        yield Hypothesis(f"log-sum-in-{dtype}", f"the logarithm of the sum is stored in {dtype}",
                         partial(_log_sum_narrowed, dtype))
    yield Hypothesis("sum-in-16-bits", "the sum of exponentials is stored in 16 bits", _sum_in_16_bits,
                     "float16 ends at 65504", reports.HALF_MEAN)
    yield Hypothesis("last-class-dropped", "the last class is not in the sum", partial(_classes_of_sum, -1))
    yield Hypothesis("padding-class", "a class of logit 0, that is none, is in the sum", _padded_class)
    for block in BLOCKS:
        yield Hypothesis(f"first-{block}-classes", f"classes beyond the first {block:,} are not in the sum",
                         partial(_classes_of_sum, block))
    yield Hypothesis("nan-spreads", "a NaN in one row reaches the others", _nan_spreads, known=reports.MASKED)

# fmt: on


ARITHMETIC = {each.code: each for each in _hypotheses()}
