"""`explore`: the searches in a fixed order, and which search a space asks for."""

from wootzc.builder.search.predicted import predicted
from wootzc.builder.search.search import Search
from wootzc.builder.search.tried import Ended, SearchResult


def explore(search: Search) -> SearchResult:
    """Search as the space says, and polish the best.

    What `search` holds is right at any moment, so that whoever interrupts it finds the best so far
    there.
    """
    try:
        if search.space.explore == "predicted":
            ended, left = predicted(search)
        else:
            ended, left = in_order(search), None
    finally:
        search.stop()  # what ran beside the answer, behind it in the order, is dropped
    search.finish()
    return search.found(ended, left)


def in_order(search: Search) -> Ended:
    """Try candidates until the first that meets the objective, or all with `explore all`."""
    order = search.order
    while search.window or _may_begin(search):
        while _may_begin(search) and not search.must_wait:
            _begin(search)
        if not search.window:  # what was to begin is beyond the limits, now that it is measured
            continue
        one, outcome = search.answer()
        search.note(one, outcome)
        if one.reason == "target" and not search.tried[-1].met:  # what was asked was too little
            for further in search.attempt([one.candidate], whole=True):
                search.note(*further)
        # An earlier one may have come to hold, as all are judged anew.
        if search.best is not None and search.best.met and search.space.explore != "all":
            return "met"
    return "all" if len(search.tried) == len(order) else "budget"


def _may_begin(search: Search) -> bool:
    begun = len(search.tried) + len(search.window)
    return begun < len(search.order) and not (search.spent or search.full)


def _begin(search: Search) -> None:
    """Begin the next in the order, as many as there is room for."""
    place = len(search.tried) + len(search.window)
    search.begin(search.order[place : place + search.width])
