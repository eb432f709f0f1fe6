"""How far a correct computation may be from the true loss: a-priori rounding-error bounds, and where infinity is due."""
