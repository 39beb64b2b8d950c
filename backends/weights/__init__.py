"""Weights as NumPy arrays: laid out, judged, sliced, refitted, stored. No JAX."""
