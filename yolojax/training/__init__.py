"""Training: the optimizer, the compiled step, checkpoints and the loop around them."""
