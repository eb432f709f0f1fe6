"""What the given numbers are: logits, or what a model has already made of them."""

from __future__ import annotations

from typing import Literal, get_args

Given = Literal["logits", "log-probabilities", "probabilities"]
GIVEN: tuple[Given, ...] = get_args(Given)
Form = Literal["logits", "log-probabilities", "probabilities", "binary"]  # binary: (0, z), of one logit z a sample
