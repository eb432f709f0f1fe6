"""Liger-Kernel's Triton cross-entropy, for `xent conform samples/adapters/liger_kernel_adapter.py --device cuda`."""

from liger_kernel.transformers.functional import liger_cross_entropy

conform = {"shapes": "rows", "targets": "labels", "in_place": True}


def cross_entropy(logits, target, *, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Logits [N, C], whose memory becomes the gradient's, and labels [N]."""
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}
    return liger_cross_entropy(logits, target, weight=weight, **options)
