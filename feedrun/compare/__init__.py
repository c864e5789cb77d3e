"""One HTML page that sets runs side by side."""
