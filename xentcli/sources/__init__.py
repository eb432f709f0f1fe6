"""Where numbers come from: files and memory, each read into an `Array`."""
