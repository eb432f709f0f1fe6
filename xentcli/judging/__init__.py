"""Facts and a tolerance become a verdict. Nothing is computed from logits here, and nothing is put into sentences."""
