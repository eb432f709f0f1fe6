"""Lint of the input: what it looks like, and which of that deserves a word."""
