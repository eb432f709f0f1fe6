"""What known mistakes would have made of this very input, held against a claim. A mistake is one entry."""
