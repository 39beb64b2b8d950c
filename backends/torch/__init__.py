"""Networks as plain PyTorch source and weights. Never imports torch.

source       model.py: `model_source`
weights      what its `load_state_dict` takes: `state_dict`, and how ours are called there

classes      segments of a network that share a class; layers: what stands inside of one
expressions  Python laid out as ruff does it
names, text  of the generated file
"""

from wootzc.backends.torch.source import model_source
from wootzc.backends.torch.state_dict import names_in_state_dict, state_dict

__all__ = ["model_source", "names_in_state_dict", "state_dict"]
