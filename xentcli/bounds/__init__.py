"""How far a correct computation may be from the true loss: rounding-error bounds, and where infinity is due."""
