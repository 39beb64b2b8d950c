"""How large a network may be. The language reads no more, and importers make no more."""

MAX_SIDE = 4_096  # pixels: of an input's side (or its channels), a kernel, a stride, a padding
MAX_COUNT = 1_000_000  # channels of a layer, groups, numbers of a flattened image
MAX_NUMBER = 1e30  # numbers with a fraction are less
MAX_LAYERS = 10_000  # of one network, after every module is written out
MAX_MODULES = 1_000  # of one network
MAX_COST = 2**53  # parameters or MACs of one network: up to here floats count them exactly
