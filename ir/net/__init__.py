"""Networks: segments of layers, what goes together, what they cost, and pruned ones."""
