"""Whether an error says what it refuses: a dtype, an option or a value of the call, in whatever language it is raised."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    """Whether the message refuses something that the call has; a bare crash, or one that names no part of it, is none."""
    if CRASHES.search(said) or not REFUSES.search(said):
        return False
    return any(re.search(word, said, re.IGNORECASE) for word in _unusual(case, inputs))


def _unusual(case: Case, inputs: Inputs) -> Iterator[str]:
    """How what is out of the ordinary about the call is spelled."""
    yield SPELLINGS[inputs.dtype]
    if case.label_smoothing:
        yield r"smooth"
    if inputs.weight is not None:
        yield r"\bweights?\b"
    if case.ignore_index != -100:
        yield r"ignore_?index|ignored? (?:index|label)"
    if case.reduction != "mean":
        yield rf"reduction|\b{case.reduction}\b"
    if inputs.has_labels:
        yield SPELLINGS.get(str(inputs.target.dtype).removeprefix("torch."), r"\Z.")
    else:
        yield r"probabilit|soft (?:label|target)|one.?hot"
    if inputs.logits.ndim != 2:
        yield r"\bdim|\bndim|\brank\b|\b2-?d\b|\b[0-9]-?d\b"
    if not inputs.logits.numel():
        yield r"\bempty\b|\bzero\b|\bno (?:rows|samples|classes)\b"
    if bool(inputs.logits.isnan().any()):
        yield r"\bnan\b|non-?finite|finite"
    if bool(inputs.logits.isinf().any()):
        yield r"\binf|non-?finite|finite"
    if any(layout != "contiguous" for layout in case.layout.values()):
        yield r"contiguous|\bstrides?\b|\blayout\b"
    if case.gradient:
        yield r"\bgrad|backward|differentia"
