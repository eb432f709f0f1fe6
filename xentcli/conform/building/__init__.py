"""How the corpus is made: `python -m xentcli.conform.building` writes `data/` anew."""
