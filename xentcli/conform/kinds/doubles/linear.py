"""Heads with their cross-entropy: the right one by chunks, and the same with one step changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from xentcli.conform.doubles.cast import Double

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

SIZE = 64  # samples of a chunk


class Chunked:
    """Chunks of samples, each with its own logits in float32 or wider; the sums are put together at the end."""

    def __call__(
        self,
        hidden: Tensor,
        weight: Tensor,
        target: Tensor,
        *,
        bias: Tensor | None = None,
        class_weight: Tensor | None = None,
        reduction: str = "mean",
        ignore_index: int = -100,
        label_smoothing: float = 0.0,
    ) -> Tensor:
        options: dict[str, Any] = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
        known = None if class_weight is None else self.wide(class_weight)
        parts = []
        for number, rows in enumerate(self.chunks(len(target))):
            x = self.logits(hidden[rows], self.head(weight, number, len(target)), self.shift(bias, number))
            parts.append(self.losses(x, target[rows], known, options))
        losses = torch.cat(parts)
        return self.reduced(losses, parts, self.divisor(target, known, ignore_index), reduction).to(hidden.dtype)

    def chunks(self, rows: int) -> Iterator[slice]:
        return (slice(start, min(start + SIZE, rows)) for start in range(0, rows, SIZE))

    def head(self, weight: Tensor, _number: int, _rows: int) -> Tensor:
        return weight

    def shift(self, bias: Tensor | None, _number: int) -> Tensor | None:
        return bias

    def wide(self, values: Tensor) -> Tensor:
        return values.float() if values.element_size() == 2 else values

    def logits(self, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = self.wide(hidden) @ self.wide(weight).T
        return x if bias is None else x + self.wide(bias)

    def losses(self, x: Tensor, target: Tensor, known: Tensor | None, options: dict[str, Any]) -> Tensor:
        return functional.cross_entropy(x, target, weight=known, reduction="none", **options)

    def divisor(self, target: Tensor, known: Tensor | None, ignore_index: int) -> Tensor:
        counted = target[target != ignore_index]
        return torch.tensor(float(len(counted))) if known is None else known[counted].sum()

    def reduced(self, losses: Tensor, _parts: list[Tensor], divisor: Tensor, reduction: str) -> Tensor:
        if reduction == "none":
            return losses
        return losses.sum() / divisor if reduction == "mean" else losses.sum()


class MeanOfMeans(Chunked):
    """The mean of the chunks' means, whatever each of them counts"""

    def reduced(self, losses: Tensor, parts: list[Tensor], divisor: Tensor, reduction: str) -> Tensor:
        if reduction != "mean":
            return super().reduced(losses, parts, divisor, reduction)
        return torch.stack([part.sum() / max(int((part != 0).sum()), 1) for part in parts]).mean()


class BiaslessChunk(Chunked):
    """The bias is left out of the last chunk"""

    def shift(self, bias: Tensor | None, number: int) -> Tensor | None:
        return None if number == 1 else bias


class LastChunksSlope(Chunked):
    """The gradient of the weight is that of the last chunk alone"""

    def head(self, weight: Tensor, number: int, rows: int) -> Tensor:
        return weight if number == (rows - 1) // SIZE else weight.detach()


class ShiftedTwice(Chunked):
    """Labels that are shifted already are shifted again"""

    def __call__(self, hidden: Tensor, weight: Tensor, target: Tensor, **options: Any) -> Tensor:
        return super().__call__(hidden[:-1] if len(target) > 1 else hidden, weight, target[1:] if len(target) > 1
                                else target, **options)  # fmt: skip


class RaggedRestDropped(Chunked):
    """The samples after the last whole chunk are left out"""

    def chunks(self, rows: int) -> Iterator[slice]:
        whole = rows - rows % SIZE if rows > 4 * SIZE else rows
        return (slice(start, min(start + SIZE, whole)) for start in range(0, whole, SIZE))


class IgnoredAreCounted(Chunked):
    """The mean is over all samples, those that are ignored too"""

    def divisor(self, target: Tensor, known: Tensor | None, ignore_index: int) -> Tensor:
        return super().divisor(target, known, ignore_index) if known is not None else torch.tensor(float(len(target)))


class FixedIgnoreIndex(Chunked):
    """-100 is ignored, whatever is asked for"""

    def losses(self, x: Tensor, target: Tensor, known: Tensor | None, options: dict[str, Any]) -> Tensor:
        return super().losses(x, target, known, options | {"ignore_index": -100})


class BlocksOfClasses(Chunked):
    """The classes after the last whole block of 1,024 take no part in the sum"""

    def losses(self, x: Tensor, target: Tensor, known: Tensor | None, options: dict[str, Any]) -> Tensor:
        if x.shape[1] <= 1024:
            return super().losses(x, target, known, options)
        whole = x.shape[1] - x.shape[1] % 1024
        return x[:, :whole].logsumexp(1) - x.gather(1, target[:, None])[:, 0]


class NoMaximum(Chunked):
    """The logits are not shifted by their maximum"""

    def losses(self, x: Tensor, target: Tensor, known: Tensor | None, options: dict[str, Any]) -> Tensor:
        if known is not None or options["label_smoothing"]:
            return super().losses(x, target, known, options)
        counted = target != options["ignore_index"]
        logs = x.exp().sum(1).log() - x.gather(1, target.clamp(min=0)[:, None])[:, 0]
        return torch.where(counted, logs, torch.zeros_like(logs))


class BiasOutsideOfSmoothing(Chunked):
    """The smooth part is made of logits without the bias"""

    def logits(self, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        self.bias = bias
        return super().logits(hidden, weight, bias)

    def losses(self, x: Tensor, target: Tensor, known: Tensor | None, options: dict[str, Any]) -> Tensor:
        smoothing = options["label_smoothing"]
        if not smoothing or self.bias is None:
            return super().losses(x, target, known, options)
        plain = super().losses(x, target, known, options | {"label_smoothing": 0.0})
        smooth = x.logsumexp(1) - (x - self.bias).mean(1)
        mixed: Tensor = (1.0 - smoothing) * plain + smoothing * smooth
        return mixed


class WeightsNotDivided(Chunked):
    """Class weights do not enter the divisor of the mean"""

    def divisor(self, target: Tensor, _known: Tensor | None, ignore_index: int) -> Tensor:
        return super().divisor(target, None, ignore_index)


class NarrowProduct(Chunked):
    """The product is accumulated in 16 bits"""

    def logits(self, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if hidden.element_size() != 2:
            return super().logits(hidden, weight, bias)
        x = hidden.new_zeros(len(hidden), len(weight))
        for feature in range(hidden.shape[1]):
            x = x + hidden[:, feature, None] * weight[None, :, feature]
        return x if bias is None else x + bias


class NarrowInputs(Chunked):
    """float32 is rounded to 10 bits before the product, as some processors do unasked"""

    def logits(self, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if hidden.dtype == torch.float32:
            hidden, weight = (each + (each.half().float() - each).detach() for each in (hidden, weight))
        return super().logits(hidden, weight, bias)


class _Unscaled(torch.autograd.Function):
    """The gradient is made with the loss, and what comes from above is forgotten."""

    @staticmethod
    def forward(_ctx: Any, loss: Tensor) -> Tensor:
        return loss.clone()

    @staticmethod
    def backward(_ctx: Any, *above: Tensor) -> Tensor:
        return torch.ones_like(above[0])


class UpstreamForgotten(Chunked):
    """The gradient that comes from above is taken for 1"""

    def __call__(self, hidden: Tensor, weight: Tensor, target: Tensor, **options: Any) -> Tensor:
        loss: Tensor = _Unscaled.apply(  # type: ignore[no-untyped-call]
            super().__call__(hidden, weight, target, **options)
        )
        return loss


class Fixed(Chunked):
    """One product, and torch's loss of it, in the format of the inputs."""

    def __call__(self, hidden: Tensor, weight: Tensor, target: Tensor, **options: Any) -> Tensor:
        bias, known = options.pop("bias", None), options.pop("class_weight", None)
        return functional.cross_entropy(functional.linear(hidden, weight, bias), target, weight=known, **options)


def torchs(chunked: bool) -> Any:
    """torch's own, as it is or by chunks."""
    options = torch.nn.LinearCrossEntropyOptions() if chunked else None

    def call(hidden: Tensor, weight: Tensor, target: Tensor, *, bias: Tensor | None = None,
             class_weight: Tensor | None = None, **more: Any) -> Tensor:  # fmt: skip
        if chunked and more.get("label_smoothing"):
            raise NotImplementedError("its chunks have no label smoothing")
        loss: Tensor = functional.linear_cross_entropy(
            hidden, weight, target, linear_bias=bias, weight=class_weight, options=options, **more
        )
        return loss

    return call


def _wrong(kind: type[Chunked], family: str) -> Double:
    name = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__)[1:]
    return Double(name, (kind.__doc__ or "").rstrip("."), kind(), family)


FAMILIES: dict[type[Chunked], str] = {
    MeanOfMeans: "chunks", BiaslessChunk: "chunks", LastChunksSlope: "chunks", ShiftedTwice: "plain",
    RaggedRestDropped: "chunks", IgnoredAreCounted: "ignored", FixedIgnoreIndex: "ignored",
    BlocksOfClasses: "vocabulary", NoMaximum: "offsets", BiasOutsideOfSmoothing: "options",
    WeightsNotDivided: "options", NarrowProduct: "half", NarrowInputs: "plain", UpstreamForgotten: "upstream",
}  # fmt: skip

# Releases of torch before this loss have no such doubles.
TORCHS = (
    Double("torch", "torch's own", torchs(chunked=False)),
    Double("torch-by-chunks", "torch's own, by chunks", torchs(chunked=True)),
) if hasattr(functional, "linear_cross_entropy") else ()  # fmt: skip

LINEAR = (
    *(_wrong(kind, family) for kind, family in FAMILIES.items()),
    Double("by-chunks", "64 samples at a time, in float32", Chunked()),
    Double("at-once", "one product, and torch's loss of it", Fixed()),
    *TORCHS,
)
