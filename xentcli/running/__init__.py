"""Passes over an input: engine, threads, processes, clusters, partials, merging. No formula of the loss lives here."""
