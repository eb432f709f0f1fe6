"""What an implementation offers, where it does not declare it: found out by the simplest questions there are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import torch

from xentcli.conform.asking.declaration import OPTIONS
from xentcli.conform.asking.deriving import IGNORED, Offer, plan
from xentcli.conform.asking.implementation import Answer
from xentcli.conform.asking.presented import Presented
from xentcli.conform.cases.case import Case, Inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from xentcli.conform.asking.implementation import Implementation
    from xentcli.question.problem import Reduction

LOGITS = torch.tensor([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]])
LABELS = torch.tensor([1, 0])
LOSSES = torch.logsumexp(LOGITS.double(), 1) - LOGITS.double().gather(1, LABELS[:, None])[:, 0]  # [rows]
VALUES: dict[Reduction, torch.Tensor] = {"none": LOSSES, "mean": LOSSES.mean(), "sum": LOSSES.sum()}
NEAR = 0.02  # relative: which reduction it is, not how good
Lack = Literal["refused", "other"]
REFUSED: Lack = "refused"
OTHER: Lack = "other"
OTHERS = tuple(name for name in OPTIONS if name != "ignore_index")
KINDS = ("unsupported", "error")


def learn(implementation: Implementation) -> Offer:
    """The reductions that it declares, or those that its answers show, of one that has answered before."""
    declared = implementation.declared
    if declared.reductions is not None:
        return Offer(declared, _declared_words(declared.reductions))
    answers = {name: _ask(implementation, _probe(name), Offer(declared)) for name in VALUES}
    found = {name: _recognised(answer) for name, answer in answers.items()}
    refused = {name: answer.said for name, answer in answers.items() if answer.kind in KINDS}
    offer = replace(_offered(found), declared=declared, refused=refused)
    return offer if _may_ignore(implementation, offer) else replace(offer, declared=replace(declared, options=OTHERS))


def _may_ignore(implementation: Implementation, offer: Offer) -> bool:
    """Whether a label of torch's default ignore_index means anything to a function that does not take the option."""
    declared, takes = offer.declared, implementation.takes
    silent = takes is not None and "ignore_index" not in takes
    if not silent or declared.options is not None or declared.ignore_index is not None:
        return True
    inputs = Inputs(LOGITS, torch.tensor([1, IGNORED]))
    word = next(iter(offer.words))
    case = Case(name="probe/ignored", about="", load=lambda: inputs, reduction=word)
    loss = _ask(implementation, case, offer).loss
    known = torch.stack((LOSSES[0], LOSSES[0] / 2.0, 0.0 * LOSSES[0]))  # by one sample, by two, and of none
    return loss is not None and bool(torch.isclose(loss.double()[..., None], known, rtol=NEAR).any(-1).all())


def _declared_words(reductions: tuple[Reduction, ...]) -> dict[Reduction, Reduction]:
    return {name: name for name in reductions}


def _offered(found: dict[Reduction, Reduction | Lack]) -> Offer:
    """The reductions by what was asked and what came: one whatever is asked, or those that are not refused.

    Who answers each as another, or with no reduction at all, is judged as if all were offered.
    """
    given = [name for name, kind in found.items() if kind != REFUSED]
    kinds = [name for name in VALUES if all(found[each] == name for each in given)]
    if given and kinds:
        (kind,) = kinds
        return Offer(words={kind: kind if kind in given else given[0]})
    right = {name: name for name in given if found[name] == name}
    return Offer(words=right) if found["none"] == REFUSED and right else Offer()


def _recognised(answer: Answer) -> Reduction | Lack:
    """The reduction whose value this is, if any's."""
    if answer.kind in KINDS:
        return REFUSED
    loss = answer.loss
    if answer.kind != "value" or loss is None:
        return OTHER
    fits = (name for name, value in VALUES.items() if loss.shape == value.shape and _near(loss, value))
    return next(fits, OTHER)


def _near(loss: torch.Tensor, value: torch.Tensor) -> bool:
    return torch.allclose(loss.double(), value, rtol=NEAR, atol=0.0)


def _probe(reduction: Reduction) -> Case:
    inputs = Inputs(LOGITS, LABELS)
    return Case(name="probe/reduction", about="", load=lambda: inputs, reduction=reduction)


def _ask(implementation: Implementation, case: Case, offer: Offer) -> Answer:
    """The answer to a question that an implementation is asked as it declares itself."""
    asked = plan(case, case.load(), offer)
    if not asked.calls:
        return Answer("unsupported", asked.missing)
    return Presented(implementation, offer).ask(asked.calls[0], asked.calls[0].load())


def _in_dtype(inputs: Inputs) -> Inputs:
    return Inputs(LOGITS.to(inputs.logits.dtype), LABELS)


def _without_batch(_inputs: Inputs) -> Inputs:
    return Inputs(LOGITS[0], LABELS[0])


def _with_inner_axis(_inputs: Inputs) -> Inputs:
    return Inputs(LOGITS[:, :, None].expand(2, 3, 2).contiguous(), LABELS[:, None].expand(2, 2).contiguous())


def _with_probabilities(_inputs: Inputs) -> Inputs:
    return Inputs(LOGITS, torch.softmax(LOGITS, 1))


@dataclass(frozen=True)
class Feature:
    """Something that an implementation may lack, which its signature cannot tell."""

    name: str
    applies: Callable[[Inputs], bool]
    simplest: Callable[[Inputs], Inputs]


FEATURES = (
    Feature("logits of this type", lambda inputs: inputs.dtype != "float32", _in_dtype),
    Feature("logits without a batch axis", lambda inputs: inputs.logits.ndim == 1, _without_batch),
    Feature("axes behind the classes", lambda inputs: inputs.logits.ndim > 2, _with_inner_axis),
    Feature("target probabilities", lambda inputs: not inputs.has_labels, _with_probabilities),
)


@dataclass
class Missing:
    """What an implementation raises an error for even where nothing can go wrong: that it does not offer."""

    implementation: Implementation
    offer: Offer
    known: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, case: Case, inputs: Inputs) -> str:
        """Which feature of the case is not there, or nothing; who can say `unsupported` is not asked."""
        if self.implementation.can_say_unsupported or case.expects != "value":
            return ""
        return next(filter(None, (self._lacks(feature, case, inputs) for feature in FEATURES)), "")

    def _lacks(self, feature: Feature, case: Case, inputs: Inputs) -> str:
        if not feature.applies(inputs):
            return ""
        key = feature.name, inputs.dtype if feature is FEATURES[0] else ""
        if key not in self.known:
            self.known[key] = self._tried(feature, case, inputs)
        return self.known[key]

    def _tried(self, feature: Feature, case: Case, inputs: Inputs) -> str:
        simplest = feature.simplest(inputs)
        word = next(iter(self.offer.words), case.reduction)
        asked = Case(name="probe/feature", about="", load=lambda: simplest, reduction=word)
        answer = _ask(self.implementation, asked, self.offer)
        named = feature.name.replace("of this type", f"in {inputs.dtype}")
        return f"no {named}: {answer.said}" if answer.kind == "error" else ""
