"""Attention mechanisms by name, one signature."""
