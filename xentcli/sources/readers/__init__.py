"""A file a format: how it is read and written. Which format a file has is decided outside, in `formats.py`."""
