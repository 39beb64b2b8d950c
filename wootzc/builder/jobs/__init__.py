"""Pieces of work with a key, and the store that keeps what they give."""
