"""PyTorch's checkpoints for the networks of the zoo, as weights of ours. NumPy only."""

from wootzc.backends.checkpoints.read import Recognised, read_checkpoint, recognised

__all__ = ["Recognised", "read_checkpoint", "recognised"]
