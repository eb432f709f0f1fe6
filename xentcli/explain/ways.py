"""The exact loss from every station of both ways on: what would come out if no later step rounded.

From the computed numbers (^) of a station, with λ(s) = log Σ exp(s_c), the loss is Σ_c a_c·l_c with these l_c:

                   manual                      library
    shift          λ(ŝ) − ŝ_c                  λ(ŝ) − ŝ_c
    exponentials   log Σ ê − log ê_c           log Σ ê − ŝ_c
    sum            log Ŝ − log ê_c             log Ŝ − ŝ_c
    then           −log p̂_c                    l̂ − ŝ_c, with l̂ the computed log of the sum
    then           the computed −log p̂_c       the computed −log p_c

Form log-probabilities and probabilities enter further down: the stations before are left out.
The differences of neighbours are what each step adds to the error; all of them together are the error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from xentcli.explain.exact import TrueNumbers, weigh
from xentcli.numbers.exactsum import ExactSum

if TYPE_CHECKING:
    from xentcli.explain.trace import Trace
    from xentcli.numbers.given import Form

MOST_TERMS = 2048  # classes with a coefficient that are followed; a logarithm of 40 digits takes its time

# the stations at which something is computed, by what the numbers are
STATIONS: dict[Form, frozenset[str]] = {
    "logits": frozenset({"shift", "exponentials", "sum", "probabilities", "-log", "log of the sum", "log-softmax"}),
    "log-probabilities": frozenset({"probabilities", "-log"}),
    "probabilities": frozenset({"-log", "log"}),
    "binary": frozenset({"probabilities", "-log", "log"}),
}

MinusLog = Callable[[int], Decimal]
Adds = Mapping[str, float]  # step -> nats


@dataclass(frozen=True, eq=False)
class Ways:
    """Both ways of one sample with loss Σ_c a_c·(−log p_c)."""

    true: TrueNumbers
    coefficients: Mapping[int, Decimal]  # a_c, where not 0
    trace: Trace
    given: Form

    def manual(self) -> Adds:
        """softmax, −log, weigh."""
        exponentials = _logarithms(self.trace.exponentials.tolist(), self.true)
        total = self._log_of(self.trace.total.item())
        probabilities = _logarithms(self.trace.probabilities.tolist(), self.true)
        minus_logs = (-self.trace.log_of_probabilities).tolist()
        return self._adds(
            {
                "exponentials": lambda c: self._subtract(self._log_of_exponentials, exponentials(c)),
                "sum": lambda c: self._subtract(total, exponentials(c)),
                "probabilities": lambda c: probabilities(c).copy_negate(),
                "-log": lambda c: Decimal(minus_logs[c]),
            },
            self.trace.manual,
        )

    def library(self) -> Adds:
        """log-sum-exp, subtract, weigh: the exponentials matter through their sum alone."""
        shifts = self.trace.shifts.tolist()
        total, log_total = self._log_of(self.trace.library_total.item()), Decimal(self.trace.log_total.item())
        logs = self.trace.log_probabilities.tolist()
        return self._adds(
            {
                "exponentials": lambda c: self._subtract(self._log_of_exponentials, Decimal(shifts[c])),
                "sum": lambda c: self._subtract(total, Decimal(shifts[c])),
                "log of the sum": lambda c: self._subtract(log_total, Decimal(shifts[c])),
                "log-softmax": lambda c: Decimal(-logs[c]),
                "log": lambda c: Decimal(-logs[c]),
            },
            self.trace.library,
        )

    def _adds(self, later: Mapping[str, MinusLog], result: float) -> Adds:
        stations = {"shift": self._shifted.minus_log, **later}
        losses = {
            name: weigh(self.coefficients, minus_log, self.true.context)
            for name, minus_log in stations.items()
            if name in STATIONS[self.given]
        }
        losses["weigh"] = Decimal(result)
        start = weigh(self.coefficients, self.true.minus_log, self.true.context)
        before = [start, *losses.values()]
        return {
            name: float(self._subtract(loss, last)) for (name, loss), last in zip(losses.items(), before, strict=False)
        }

    @cached_property
    def _shifted(self) -> TrueNumbers:
        return TrueNumbers(self.trace.shifts.tolist(), self.true.context)

    @cached_property
    def _log_of_exponentials(self) -> Decimal:
        exponentials = self.trace.exponentials.double().cpu().numpy()
        return self.true.context.ln(self.true.decimal(ExactSum.of(exponentials).fraction()))

    def _log_of(self, number: float) -> Decimal:
        return self.true.context.ln(Decimal(number))

    def _subtract(self, left: Decimal, right: Decimal) -> Decimal:
        return self.true.context.subtract(left, right)


def _logarithms(numbers: Sequence[float], true: TrueNumbers) -> MinusLog:
    return lambda c: true.context.ln(Decimal(numbers[c]))
