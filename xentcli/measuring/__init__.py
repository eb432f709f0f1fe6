"""A block becomes facts that add up exactly. Nothing is judged here: tolerance and verdict are the next room's."""
