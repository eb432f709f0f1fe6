"""The doubles of all losses by name."""

from __future__ import annotations

from xentcli.conform.kinds.doubles.binary import BINARY, FOCAL
from xentcli.conform.kinds.doubles.divergences import JS, KL, KL_DIV
from xentcli.conform.kinds.doubles.given import NLL, PROBABILITIES
from xentcli.conform.kinds.doubles.linear import LINEAR
from xentcli.conform.kinds.doubles.shards import VOCABULARY_SHARDS
from xentcli.conform.kinds.doubles.shift import SHIFT
from xentcli.conform.kinds.doubles.transformed import SCALE, SOFTCAP, Z_LOSS

CAST = {
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
