"""The loss of the next token: right, and with one step changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from xentcli.conform.kinds.doubles.building import right, wide, wrong

if TYPE_CHECKING:
    from torch import Tensor


def next_token(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None, ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """Both are cut and laid flat, in float32."""
    return _summed(wide(logits)[:, :-1], labels[:, 1:], num_items_in_batch, ignore_index).to(logits.dtype)


def padded_labels(logits: Tensor, labels: Tensor, vocab_size: int, num_items_in_batch: float | None = None,
                  ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The labels are moved and padded by an ignored one, as in transformers."""
    moved = functional.pad(labels, (0, 1), value=ignore_index)[:, 1:]
    flat = wide(logits).reshape(-1, vocab_size)
    how = "sum" if num_items_in_batch is not None else "mean"
    loss = functional.cross_entropy(flat, moved.reshape(-1), ignore_index=ignore_index, reduction=how)
    return (loss if num_items_in_batch is None else loss / num_items_in_batch).to(logits.dtype)


def not_shifted(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None, ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """Each position predicts itself."""
    return _summed(wide(logits), labels, num_items_in_batch, ignore_index).to(logits.dtype)


def shifted_twice(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None, ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """Each position predicts the token after the next one."""
    step = 2 if labels.shape[1] > 2 else 1
    return _summed(wide(logits)[:, :-step], labels[:, step:], num_items_in_batch, ignore_index).to(logits.dtype)


def shifted_backwards(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None,
                      ignore_index: int = -100) -> Tensor:  # fmt: skip
    """Each position predicts the token before it."""
    return _summed(wide(logits)[:, 1:], labels[:, :-1], num_items_in_batch, ignore_index).to(logits.dtype)


def shifted_when_flat(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None,
                      ignore_index: int = -100) -> Tensor:  # fmt: skip
    """They are cut after they are laid flat: the end of a sequence predicts the start of the next one."""
    flat = wide(logits).reshape(-1, logits.shape[-1])[:-1]
    return _summed(flat, labels.reshape(-1)[1:], num_items_in_batch, ignore_index).to(logits.dtype)


def items_ignored(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None, ignore_index: int = -100) \
        -> Tensor:  # fmt: skip
    """The number of items has no effect."""
    return next_token(logits, labels, None if num_items_in_batch else num_items_in_batch, ignore_index)


def mean_over_items(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None,
                    ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The mean, not the sum, is divided by the number of items."""
    loss = next_token(logits, labels, None, ignore_index)
    return loss if num_items_in_batch is None else loss / num_items_in_batch


def padding_is_counted(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None,
                       ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The mean is over all positions."""
    count = labels[:, 1:].numel() if num_items_in_batch is None else num_items_in_batch
    return next_token(logits, labels, count, ignore_index)


def mean_of_sequences(logits: Tensor, labels: Tensor, num_items_in_batch: float | None = None,
                      ignore_index: int = -100) -> Tensor:  # fmt: skip
    """The mean of the sequences' means."""
    if num_items_in_batch is not None:
        return next_token(logits, labels, num_items_in_batch, ignore_index)
    parts = [next_token(x[None], y[None], None, ignore_index) for x, y in zip(logits, labels, strict=True)]
    return sum(parts[1:], parts[0]) / len(parts)


def _summed(logits: Tensor, labels: Tensor, items: float | None, ignore_index: int) -> Tensor:
    flat, target = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
    total = functional.cross_entropy(flat, target, ignore_index=ignore_index, reduction="sum")
    return total / ((target != ignore_index).sum() if items is None else items)


SHIFT = (
    wrong("plain", not_shifted),
    wrong("plain", shifted_twice),
    wrong("plain", shifted_backwards),
    wrong("plain", shifted_when_flat),
    wrong("items", items_ignored),
    wrong("items", mean_over_items),
    wrong("ignored", padding_is_counted),
    wrong("ignored", mean_of_sequences),
    right(next_token),
    right(padded_labels),
)
