"""PyTorch's checkpoints for the networks of the zoo, as weights of ours. NumPy only."""

from wootzc.backends.checkpoints.read import read_checkpoint

__all__ = ["read_checkpoint"]
