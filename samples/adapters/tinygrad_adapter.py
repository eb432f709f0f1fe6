"""tinygrad, for `xent conform samples/adapters/tinygrad_adapter.py --arrays numpy`."""

from tinygrad import Tensor


def cross_entropy(logits, target, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Its `cross_entropy`, which ignores nothing; `sparse_categorical_crossentropy`, which does, where it must."""
    x, y = Tensor(logits), Tensor(target)
    if target.dtype.kind == "f" or not (target == ignore_index).any():
        return x.cross_entropy(y, reduction=reduction, label_smoothing=label_smoothing).numpy()
    if logits.ndim > 1:  # the classes go to the last axis
        x = x.permute(0, *range(2, logits.ndim), 1)
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}
    return x.sparse_categorical_crossentropy(y, **options).numpy()
