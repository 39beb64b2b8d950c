"""Training: steps, loops, blocks, scores and least squares."""
