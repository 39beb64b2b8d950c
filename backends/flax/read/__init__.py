"""Flax models of others, read as networks."""
