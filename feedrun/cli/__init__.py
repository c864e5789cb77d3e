"""What one types: the words of a command line, and Hydra behind them."""

from feedrun.cli.main import main

__all__ = ["main"]
