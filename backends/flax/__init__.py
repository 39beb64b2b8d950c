"""backends.flax"""
