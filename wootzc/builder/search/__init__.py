"""Which candidate is tried next, and whether one is good enough."""
