"""What the losses are called: for a command line that must not wait for torch."""

from __future__ import annotations

NAMES = (
    "linear", "z-loss", "softcap", "scale", "shift", "nll", "probabilities", "binary", "focal", "kl-div", "kl", "js",
    "vocabulary-shards",
)  # fmt: skip
