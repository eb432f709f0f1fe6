"""The verdict on an implementation as text, a file a format."""
