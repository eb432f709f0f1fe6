"""The formats in which an implementation has a loss, or its gradients, where it says nothing of them.

Some kernels have gradients in 16 bits alone, and raise an error for others: that is a choice, and no fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from xentcli.conform.kinds.judging import judge
from xentcli.records.conformance import SMOKE

if TYPE_CHECKING:
    from xentcli.conform.kinds.asking import Implementation
    from xentcli.conform.kinds.call import Call, Kind
    from xentcli.records.conformance import CaseResult

FORMATS = ("float64", "float32", "bfloat16", "float16")
INSTEAD = {"float32": ("bfloat16", "float16")}  # the formats in which a case still asks nearly the same


@dataclass(frozen=True)
class Formats:
    """Asks cases as they are, and only where one raises an error whether its format does so even in the simplest."""

    implementation: Implementation
    kind: Kind
    _lacks: dict[tuple[str, bool], str] = field(default_factory=dict)  # by format, and whether gradients are asked for

    def asked(self, case: Call) -> tuple[Call, CaseResult]:
        """The case as it was asked in the end, and what came of it."""
        result, is_error = self._result(case)
        with_gradients = bool(case.gradients)
        lacking = self._lacking(case.dtype, with_gradients) if is_error else ""
        if not lacking:
            return case, result
        told = f"no {'gradient in ' * with_gradients}{case.dtype}: {lacking}"
        for dtype in INSTEAD.get(case.dtype, ()):
            if not self._lacking(dtype, with_gradients):
                other = in_format(case, dtype)
                found = self._result(other)[0]
                return other, replace(found, notes=(*found.notes, f"asked in {dtype}, as there is {told}"))
        return case, replace(result, outcome="unsupported", reason=told)

    def _result(self, case: Call) -> tuple[CaseResult, bool]:
        """And whether it is an error; what ended the program is asked again of a fresh one, which knows no others."""
        answer = self.implementation.ask(self.kind, case)
        if answer.kind != "fatal":
            return judge(self.kind, case, answer), answer.kind == "error"
        again = self.implementation.ask(self.kind, case)
        said = answer.said if again.kind == "fatal" else f"after other cases, though not alone, it {answer.said}"
        return replace(judge(self.kind, case, again), outcome="fails", reason=said), False

    def _lacking(self, dtype: str, with_gradients: bool) -> str:
        """What is said to the simplest question in this format; nothing where there is no error.

        Nothing either where every format gives one: then it is not the format.
        """
        smoke = [case for case in self.kind.cases() if case.family == SMOKE and bool(case.gradients) == with_gradients]
        if not smoke:
            return ""
        for each in FORMATS:
            if (each, with_gradients) not in self._lacks:
                answer = self.implementation.ask(self.kind, in_format(smoke[0], each))
                self._lacks[each, with_gradients] = answer.said if answer.kind == "error" else ""
        if all(self._lacks[each, with_gradients] for each in FORMATS):
            return ""
        return self._lacks[dtype, with_gradients]


def in_format(case: Call, dtype: str) -> Call:
    """The same question of numbers in another format, to which they are rounded."""
    kind = getattr(torch, dtype)
    arrays = {name: array.to(kind) if array.is_floating_point() else array for name, array in case.arrays.items()}
    return replace(case, arrays=arrays, upstream=None if case.upstream is None else case.upstream.to(kind))
