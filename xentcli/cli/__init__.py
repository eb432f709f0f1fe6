"""The command line: a file a command, and the only place that knows click."""
