"""Tree to IR: what is pruned, by which rates, under which limits."""
