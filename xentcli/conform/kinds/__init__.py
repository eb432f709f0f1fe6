"""Losses beside plain cross-entropy, one module each: its signature, its cases, its formula. Each is judged alike."""
