"""What is known at the end, as frozen records that are the JSON. Only plain values: no tensor, no file, no terminal."""
