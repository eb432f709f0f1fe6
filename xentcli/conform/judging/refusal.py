"""Whether an error says what it refuses: a dtype, an option or a value of the call, in any programming language."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from xentcli.conform.cases.case import Case, Inputs

REFUSES = re.compile(
    r"not implemented|unimplemented|not supported|unsupported|n[o']t support|not (?:yet )?(?:available|allowed|offered)"
    r"|\bonly (?:support|accept|implement|work|float|double|int|for)|\bmust (?:be|not|lie|contain)|\bshould be"
    r"|\bexpect(?:s|ed)\b.*\b(?:dtype|type|to be|between|in \[)|\bunexpected keyword|\binvalid (?:value|dtype|argument)"
    r"|\bcannot be\b|\bno (?:kernel|support|implementation)|\bout of range for\b|\brefuse[sd]?\b|\brejects?\b",
    re.IGNORECASE,
)
CRASHES = re.compile(
    r"segmentation|illegal (?:memory|instruction)|out of bounds|core dumped|expected scalar type|size mismatch"
    r"|shape mismatch|broadcast|assertion `|CUDA error",
    re.IGNORECASE,
)
SPELLINGS = {
    "float64": r"\b(?:float64|double|f64|fp64)\b",
    "float32": r"\b(?:float32|float|single|f32|fp32)\b",
    "bfloat16": r"\b(?:bfloat16|bf16)\b",
    "float16": r"\b(?:float16|half|f16|fp16)\b",
    "uint8": r"\b(?:uint8|byte|u8)\b",
    "int8": r"\b(?:int8|char|i8)\b",
    "int16": r"\b(?:int16|short|i16)\b",
    "int32": r"\b(?:int32|int|i32)\b",
    "int64": r"\b(?:int64|long|i64)\b",
}


def is_refusal(said: str, case: Case, inputs: Inputs) -> bool:
    """Whether the message refuses something that the call has; a bare crash, or one that names none of it, does not."""
    if CRASHES.search(said) or not REFUSES.search(said):
        return False
    words = (spelled for is_so, spelled in UNUSUAL if is_so(case, inputs))
    dtypes = (SPELLINGS[_dtype(each)] for each in (inputs.logits, inputs.target) if _dtype(each) in SPELLINGS)
    return any(re.search(word, said, re.IGNORECASE) for word in (*words, *dtypes))


def _dtype(array: torch.Tensor) -> str:
    return str(array.dtype).removeprefix("torch.")


UNUSUAL: tuple[tuple[Callable[[Case, Inputs], bool], str], ...] = (  # what a call may have, and how it is spelled
    (lambda case, _: bool(case.label_smoothing), r"smooth"),
    (lambda _, inputs: inputs.weight is not None, r"\bweights?\b"),
    (lambda case, _: case.ignore_index != -100, r"ignore_?index|ignored? (?:index|label)"),
    (lambda case, _: case.reduction != "mean", r"reduction"),
    (lambda _, inputs: not inputs.has_labels, r"probabilit|soft (?:label|target)|one.?hot"),
    (lambda _, inputs: inputs.logits.ndim != 2, r"\bn?dims?\b|\bdimension|\brank\b|\b[0-9]-?d\b"),
    (lambda _, inputs: not inputs.logits.numel(), r"\bempty\b|\bzero\b|\bno (?:rows|samples|classes)\b"),
    (lambda _, inputs: bool(inputs.logits.isnan().any()), r"\bnan\b|finite"),
    (lambda _, inputs: bool(inputs.logits.isinf().any()), r"\binf|finite"),
    (lambda case, _: any(each != "contiguous" for each in case.layout.values()), r"contiguous|\bstrides?\b|\blayout\b"),
    (lambda case, _: bool(case.gradient), r"\bgrad|backward|differentia"),
)
