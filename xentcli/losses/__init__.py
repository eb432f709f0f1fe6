"""The three losses that are always told apart: library, manual and reference."""
