"""The reference implementation of ONNX, for `xent conform samples/adapters/onnx_adapter.py --arrays numpy`."""

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

conform = {"targets": "labels", "shapes": ["rows", "inner"]}


def cross_entropy(logits, target, *, weight=None, ignore_index=-100, reduction="mean"):
    """The operator SoftmaxCrossEntropyLoss in a graph of its own; it knows labels alone, of [N, C, d1, ...]."""
    arrays = {"scores": logits, "labels": target} | ({} if weight is None else {"weights": weight})
    node = helper.make_node(
        "SoftmaxCrossEntropyLoss", list(arrays), ["loss"], reduction=reduction, ignore_index=ignore_index
    )
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), None)
        for name, array in arrays.items()
    ]
    graph = helper.make_graph([node], "loss", given, [helper.make_tensor_value_info("loss", TensorProto.FLOAT, None)])
    with np.errstate(all="ignore"):
        return ReferenceEvaluator(helper.make_model(graph)).run(None, arrays)[0]
