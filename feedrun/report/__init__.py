"""Verdicts and tables over records, as text, markdown, LaTeX, CSV and JSON."""
