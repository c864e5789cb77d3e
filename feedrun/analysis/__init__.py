"""Records read together: groups over seeds, pooled claims, the numbers of a results table."""
