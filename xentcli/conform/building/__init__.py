"""Makes the corpus, with its certified answers, anew. Nothing else needs this folder: what it makes is in `data`."""
