"""cut-cross-entropy, fused with the head.

For `xent conform --loss linear samples/adapters/cut_cross_entropy_adapter.py:loss --time-limit 200`: it compiles.
"""

import torch
from cut_cross_entropy import linear_cross_entropy

# It compiles for every shape and type, and its graph may be asked more than once.
torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 1000
torch._functorch.config.donated_buffer = False
DEVICE, IMPLEMENTATION = ("cuda", "cce") if torch.cuda.is_available() else ("cpu", "torch_compile")  # Triton's, or not


def loss(hidden, weight, target, *, ignore_index=-100, reduction="mean"):
    """Hidden states [N, D] times a head [C, D]; this release has no bias."""
    arrays = (array.to(DEVICE) for array in (hidden, weight, target))
    losses = linear_cross_entropy(*arrays, ignore_index=ignore_index, reduction=reduction, impl=IMPLEMENTATION)
    return losses.to(hidden.device)
