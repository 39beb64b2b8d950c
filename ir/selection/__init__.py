"""Which runs of symbols are worth paying for once, so that many rows can use them.

`Problem` says what runs cost and bring, `choose` finds a set and how far from the best it can be.
"""

from wootzc.ir.selection.choose import EXACT, Choice, Run, choose, choose_without
from wootzc.ir.selection.problem import Matrix, Problem

__all__ = ["EXACT", "Choice", "Matrix", "Problem", "Run", "choose", "choose_without"]
