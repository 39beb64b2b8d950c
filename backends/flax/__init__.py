"""Networks in Flax NNX. Import what is needed from its module: some of them do without JAX.

train        train a network, train_blocks, evaluate, predict
weights      fresh weights, safetensors files, checks (no JAX)
codegen      a network as a plain Flax file
parallel     devices, the ways to run steps, the compilation cache
model        IR → nnx modules
step         losses and steps as pure functions; recipes, augment: what they are made of
segments     the same step, compiled once per module variant; runners: many steps in a row
"""
