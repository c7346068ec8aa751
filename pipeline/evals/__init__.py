"""Evaluation sets: their published formats read into items, and the places of a corpus that hold an item."""
