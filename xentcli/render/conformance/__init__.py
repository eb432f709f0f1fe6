"""What the battery found, in the formats of `xent compute`."""
