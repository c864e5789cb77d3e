"""Many runs: a sweep from its grid to its end, here or on a cluster."""
