"""Losses that are wrong in one declared way, and unusual right ones: they judge the battery itself."""
