"""A record becomes text. It sees records and nothing else: no number is computed here."""
