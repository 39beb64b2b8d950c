"""Networks as plain PyTorch source and weights. Never imports torch."""
