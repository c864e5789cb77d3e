"""Records on disk: stored, found, checked; and the state of a sweep's jobs."""
