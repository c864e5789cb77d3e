"""One folder a paper: its theory, its experiments, its figures. No paper imports another."""
