"""The figures of a build, the files that `best/` holds, and a replay of them."""
