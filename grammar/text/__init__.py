"""Back to text: formatted files, networks, trees."""
