"""Benchmarks of feedrun against its peers: `python -m scripts.bench`. They are not tests."""
