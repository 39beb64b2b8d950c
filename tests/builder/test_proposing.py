"""Which candidates are proposed where modules may be left out and trunks narrowed."""

import numpy as np

import wootzc
from wootzc.builder.search.forecasts import is_beyond_modules
from wootzc.builder.search.proposing import rows_of
from wootzc.ir.propose import proposals
from wootzc.ir.space.space_costs import space_costs

SPACE = """
module basic(width) {
  add { { conv(3x3, width); norm; relu; conv(3x3, width); norm } {} }
  relu
}
network net { input(8x8x3); conv(3x3, 16); basic(16) as a[1..4]; global_pool; dense(10) }
space s over net {
  data "none.npz"
  rates { 0, 25%, 50%, 75% }
  multiple of 1
  MORE
  propose 500
  minimize params; subject to accuracy >= teacher - 1 point
}
"""


def test_as_many_again_prune_inside_modules_alone() -> None:
    """By scores alone none would: to leave modules out harms nothing here."""
    space = wootzc.compile(SPACE.replace("MORE", "narrow t*; skip *")).space
    beyond = is_beyond_modules(space)
    scores = np.where(beyond, 0.0, 1.0) * np.ones((len(space.choices), 1))
    by_scores = proposals(space, space_costs(space), scores, 40).rows
    rows = rows_of(space, scores, 40)
    alone = ~beyond[rows].any(axis=1)
    assert beyond[by_scores].any(axis=1).all()
    assert len(rows) == 80 and alone.sum() == 40
    assert np.array_equal(rows[:40], by_scores)
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_with_rates_of_modules_alone_all_go_by_scores() -> None:
    space = wootzc.compile(SPACE.replace("MORE", "")).space
    scores = np.random.default_rng(0).uniform(size=(len(space.choices), len(space.rates)))
    rows = rows_of(space, scores, 40)
    assert np.array_equal(rows, proposals(space, space_costs(space), scores, 40).rows)
