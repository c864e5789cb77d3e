"""Textbook functions on arrays: jax and numpy only."""
