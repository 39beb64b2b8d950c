"""Networks written as Flax source."""
