"""feedrun."""
