"""Two sets of logits over the same labels: how far apart they are, how surely, and where."""
