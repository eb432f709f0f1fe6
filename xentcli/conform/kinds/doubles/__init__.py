"""Implementations of other losses whose verdict is known, a module a loss."""
