"""Cross-entropy step by step, right in each: what the doubles are made from by changing one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


class Textbook:
    """`torch.nn.functional.cross_entropy`, each step a method; rows are samples, [rows, classes].

    Differs from torch's in that 16-bit logits are computed in float32 and the result is rounded once.
    """

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        *,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> Tensor:
        axis = min(1, logits.ndim - 1)
        samples = logits.shape[:axis] + logits.shape[axis + 1 :]
        self.refuse_shape(target, logits.shape if target.is_floating_point() else samples)
        rows = self.rows(logits, axis)
        known = None if weight is None else weight.to(rows.dtype)
        if target.is_floating_point():
            losses, divisor = self.of_probabilities(rows, self.rows(target, axis), known, label_smoothing)
        else:
            labels = self.checked(target.reshape(-1).long(), rows.shape[1], ignore_index)
            losses, divisor = self.of_labels(rows, labels, known, ignore_index, label_smoothing)
        return self.reduce(losses, divisor, reduction, samples).to(self.result_type(logits))

    def refuse_shape(self, target: Tensor, shape: torch.Size) -> None:
        if target.shape != shape:
            raise ValueError(f"the target has shape {tuple(target.shape)}, not {tuple(shape)}")

    def rows(self, values: Tensor, axis: int) -> Tensor:
        """[N, C, d1, ...] as [rows, classes], in the arithmetic."""
        return self.widened(values.movedim(axis, -1).reshape(-1, values.shape[axis]))

    def widened(self, values: Tensor) -> Tensor:
        return values.float() if values.element_size() == 2 else values

    def result_type(self, logits: Tensor) -> torch.dtype:
        return logits.dtype

    def checked(self, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
        counted = labels != ignore_index
        if bool((counted & ((labels < 0) | (labels >= classes))).any()):
            raise IndexError("a label is out of range")
        return labels

    def counted(self, labels: Tensor, ignore_index: int) -> Tensor:
        return labels != ignore_index

    def minus_log(self, rows: Tensor) -> Tensor:
        """−log p."""
        shifted = rows - self.greatest(rows)
        return self.log_sum(shifted) - shifted

    def greatest(self, rows: Tensor) -> Tensor:
        """What a row is shifted by; 0 for a row without a finite maximum."""
        greatest = rows.detach().amax(1, keepdim=True) if rows.shape[1] else rows[:, :1]
        return torch.where(greatest == -torch.inf, torch.zeros_like(greatest), greatest)

    def log_sum(self, shifted: Tensor) -> Tensor:
        total = self.total(shifted.exp())
        return torch.where(total > 0.0, total, torch.full_like(total, torch.nan)).log()

    def total(self, masses: Tensor) -> Tensor:
        return masses.sum(1, keepdim=True)

    def of_labels(
        self, rows: Tensor, labels: Tensor, weight: Tensor | None, ignore_index: int, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """The losses of the samples and what their mean is divided by."""
        counted = self.counted(labels, ignore_index)
        logs = self.minus_log(self.without_ignored(rows, counted))
        safe = self.safe(labels, counted)
        weights = self.label_weights(logs, safe, weight)
        losses = self.gathered(logs, safe) * weights
        if smoothing:
            losses = self.smoothed(losses, logs, safe, weight, smoothing)
        return self.masked(losses, counted), self.divisor(weights, counted)

    def without_ignored(self, rows: Tensor, counted: Tensor) -> Tensor:
        """Zeros in the rows that do not count, so that nothing of them reaches a loss or a gradient."""
        return torch.where(counted[:, None], rows, torch.zeros_like(rows))

    def safe(self, labels: Tensor, counted: Tensor) -> Tensor:
        return torch.where(counted, labels, torch.zeros_like(labels))

    def label_weights(self, logs: Tensor, safe: Tensor, weight: Tensor | None) -> Tensor:
        return logs.new_ones(len(logs)) if weight is None else weight[safe]

    def gathered(self, logs: Tensor, safe: Tensor) -> Tensor:
        return logs.gather(1, safe[:, None])[:, 0]

    def smoothed(self, losses: Tensor, logs: Tensor, safe: Tensor, weight: Tensor | None, smoothing: float) -> Tensor:
        spread = logs if weight is None else logs * weight
        smooth = spread.sum(1) * (smoothing / logs.shape[1])
        return smooth if smoothing == 1.0 else (1.0 - smoothing) * losses + smooth

    def masked(self, losses: Tensor, counted: Tensor) -> Tensor:
        return torch.where(counted, losses, torch.zeros_like(losses))

    def divisor(self, weights: Tensor, counted: Tensor) -> Tensor:
        return weights[counted].sum()

    def of_probabilities(
        self, rows: Tensor, target: Tensor, weight: Tensor | None, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        target = self.soft(target, smoothing)
        terms = target * self.minus_log(rows)
        losses = (terms if weight is None else terms * weight).sum(1)
        return losses, self.probability_divisor(losses, target, weight)

    def soft(self, target: Tensor, smoothing: float) -> Tensor:
        return target * (1.0 - smoothing) + smoothing / target.shape[1] if smoothing else target

    def probability_divisor(self, losses: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        return losses.new_tensor(float(len(losses)))

    def reduce(self, losses: Tensor, divisor: Tensor, reduction: str, samples: torch.Size) -> Tensor:
        if reduction == "none":
            return losses.reshape(samples)
        total = self.sum(losses)
        return total if reduction == "sum" else total / divisor

    def sum(self, losses: Tensor) -> Tensor:
        return losses.sum()


cross_entropy = Textbook()
