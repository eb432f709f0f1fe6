"""What is asked, checked once: the problem, its blocks, the options, the claim. No loss is computed here."""
