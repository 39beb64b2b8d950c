"""The problem as an integer programme for HiGHS, where it is small enough."""

import numpy as np

from wootzc.ir import highs
from wootzc.ir.selection.problem import Mask, Offers


def solve(offers: Offers, allowed: Mask, *, nodes: int) -> highs.Answer:
    """The runs to take, [runs], and a bound on their value, of the allowed offers alone; looks at
    `nodes` nodes at most.

    Variables: x of a run, whether it is taken; y of an offer, whether it is used, which is whole by
    itself once all x are, since each row's constraints are intervals. Constraints: each column of a
    row is covered once at most, and only what is taken is used. Proven means up to HiGHS's absolute
    tolerance, a millionth of the largest price or gain.
    """
    # Here, for SciPy takes longer to load than most spaces to compile.
    from scipy.sparse import csr_array, vstack

    kept = np.flatnonzero(allowed)
    shared = np.flatnonzero(offers.shared[kept])  # positions in `kept`
    runs, run = np.unique(offers.run[kept[shared]], return_inverse=True)
    variables = len(kept) + len(runs)

    stops = np.empty(len(offers.gain), dtype=np.int64)
    for _, stop, low, high in offers.spans:
        stops[low:high] = stop
    lengths = (stops - offers.start)[kept]
    offer = np.repeat(np.arange(len(kept)), lengths)
    place = np.arange(len(offer)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    cell = offers.row[kept][offer] * np.int64(offers.columns) + offers.start[kept][offer] + place
    cells, number = np.unique(cell, return_inverse=True)
    covered = csr_array(
        (np.ones(len(offer)), (number.reshape(-1), offer)), shape=(len(cells), variables)
    )
    links = np.arange(len(shared))
    taken_first = csr_array(
        (
            np.repeat([1.0, -1.0], len(shared)),
            (np.tile(links, 2), np.concatenate([shared, len(kept) + run.reshape(-1)])),
        ),
        shape=(len(shared), variables),
    )
    limits = np.concatenate([np.ones(len(cells)), np.zeros(len(shared))])
    costs = np.concatenate([-offers.gain[kept], offers.price[runs]])
    scale = float(np.abs(costs).max(initial=1.0))  # tolerances of the solver are absolute
    answer = highs.solve(
        costs, vstack([covered, taken_first]), limits,
        np.repeat([False, True], [len(kept), len(runs)]), nodes=nodes, scale=scale,
    )  # fmt: skip
    if answer.chosen is None:
        return highs.Answer(None, -answer.bound, False)
    taken = offers.nothing()
    taken[runs[answer.chosen[len(kept) :]]] = True
    return highs.Answer(taken, -answer.bound, answer.proven)
