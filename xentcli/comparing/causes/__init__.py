"""Mistakes that make a wrong statistic out of two sets of logits, one file a kind."""
