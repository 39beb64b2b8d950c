"""Devices, and what is compiled for them."""
