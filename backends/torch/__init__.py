"""Networks as plain PyTorch source and weights. Never imports torch.

source       model.py: `model_source`
weights      what its `load_state_dict` takes: `state_dict`, and how ours are called there

layers       how PyTorch has layers written; the classes around them: `backends.python_source`
text, taken  of the generated file: its fixed parts, and names that it cannot have
"""

from wootzc.backends.torch.source import model_source
from wootzc.backends.torch.state_dict import names_in_state_dict, state_dict

__all__ = ["model_source", "names_in_state_dict", "state_dict"]
