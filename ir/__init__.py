"""The middle of the compiler: what a `.wz` file means, and the passes that turn it into a plan.

Networks, spaces and plans are frozen dataclasses; no parser and no JAX in here. docs/ir.md names
every file in an order to read them in.
"""
