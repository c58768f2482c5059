"""One record per rule, by subject; the checks are pure functions."""
