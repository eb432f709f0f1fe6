"""Implementations whose verdict is known: wrong in one declared way, or correct by an unusual one."""
