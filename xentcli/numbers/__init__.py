"""What a number is: formats, exact sums, arrays and tensors. Nothing here knows of a loss."""
