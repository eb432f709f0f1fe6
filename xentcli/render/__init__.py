"""A report as text: one file a format, each sees records and nothing else."""
