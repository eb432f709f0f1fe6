"""How far a number could have come out otherwise on other rows: means, ranks, paired tests. Nothing of rounding."""
