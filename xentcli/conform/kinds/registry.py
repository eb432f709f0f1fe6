"""The losses by name."""

from __future__ import annotations

from xentcli.conform.kinds.binary import BINARY, FOCAL
from xentcli.conform.kinds.divergences import JS, KL, KL_DIV
from xentcli.conform.kinds.given import NLL, PROBABILITIES
from xentcli.conform.kinds.linear import LINEAR
from xentcli.conform.kinds.shards import VOCABULARY_SHARDS
from xentcli.conform.kinds.shift import SHIFT
from xentcli.conform.kinds.transformed import SCALE, SOFTCAP, Z_LOSS

KINDS = {
    "linear": LINEAR,
    "z-loss": Z_LOSS,
    "softcap": SOFTCAP,
    "scale": SCALE,
    "shift": SHIFT,
    "nll": NLL,
    "probabilities": PROBABILITIES,
    "binary": BINARY,
    "focal": FOCAL,
    "kl-div": KL_DIV,
    "kl": KL,
    "js": JS,
    "vocabulary-shards": VOCABULARY_SHARDS,
}
