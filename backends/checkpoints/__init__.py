"""PyTorch's checkpoints for the networks of the zoo, as weights of ours. NumPy only."""

from wootzc.backends.checkpoints.read import (
    Recognised,
    checkpoint_names,
    read_checkpoint,
    recognised,
)

__all__ = ["Recognised", "checkpoint_names", "read_checkpoint", "recognised"]
