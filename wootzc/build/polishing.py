"""The last fine-tune of what the search found: longer, and for one network alone."""

from dataclasses import replace

from wootzc.build.jobs import Jobs
from wootzc.build.search import Search
from wootzc.build.store import Weights
from wootzc.ir.prune import prune_network


def polish(search: Search) -> None:
    """Train the best candidate on; it is the better for it or stays as it is.

    The closest, where none met the objective: it may meet it now. Nothing, where the space wants
    none, the time is over, or the best is the whole network.
    """
