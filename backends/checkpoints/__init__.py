"""PyTorch's checkpoints for the networks of the zoo, as weights of ours. NumPy only."""

from wootzc.backends.checkpoints.read import checkpoint_names, read_checkpoint

__all__ = ["checkpoint_names", "read_checkpoint"]
