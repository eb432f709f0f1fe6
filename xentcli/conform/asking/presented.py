"""An implementation as it declares itself: asked in its own words and layout, answering in torch's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xentcli.conform.asking.declaration import Declaration
    from xentcli.conform.asking.deriving import Offer
    from xentcli.conform.asking.implementation import Answer, Implementation
    from xentcli.conform.cases.case import Case, Inputs


@dataclass(frozen=True)
class Presented:
    """The implementation behind its declaration; the arrays of a question and of an answer are torch's."""

    implementation: Implementation
    offer: Offer

    @property
    def name(self) -> str:
        return self.implementation.name

    @property
    def arrays(self) -> str:
        return self.implementation.arrays

    @property
    def spelled(self) -> str:
        return self.implementation.spelled

    @property
    def declared(self) -> Declaration:
        return self.offer.declared

    @property
    def takes(self) -> tuple[str, ...] | None:
        return self.implementation.takes

    @property
    def can_say_unsupported(self) -> bool:
        return self.implementation.can_say_unsupported

    def ask(self, case: Case, inputs: Inputs) -> Answer:
        answer = self.implementation.ask(self._worded(case), self._moved(inputs))
        if self._moves(inputs) and answer.gradient is not None and answer.gradient.ndim == inputs.logits.ndim:
            answer = replace(answer, gradient=answer.gradient.movedim(-1, 1))
        if self.offer.declared.in_place:
            answer = replace(answer, changed=tuple(name for name in answer.changed if name != "logits"))
        return answer

    def restart(self) -> None:
        self.implementation.restart()

    def imports(self) -> list[str]:
        return self.implementation.imports()

    def example(self, case: Case, *, weighted: bool) -> str:
        call = self.implementation.example(self._worded(case), weighted=weighted)
        if self.offer.declared.axis != "last" or case.load().logits.ndim < 3:
            return call
        return call.replace("logits, target", "logits.movedim(1, -1), target")

    def _worded(self, case: Case) -> Case:
        word = self.offer.words.get(case.reduction, case.reduction)
        return case if word == case.reduction else replace(case, reduction=word)

    def _moves(self, inputs: Inputs) -> bool:
        return self.offer.declared.axis == "last" and inputs.logits.ndim > 2

    def _moved(self, inputs: Inputs) -> Inputs:
        """The class axis where it is declared; two axes are the same either way."""
        if not self._moves(inputs):
            return inputs
        target = inputs.target if inputs.has_labels else inputs.target.movedim(1, -1)
        return replace(inputs, logits=inputs.logits.movedim(1, -1), target=target)
