"""Tree to IR: modules, networks, data and recipes."""
