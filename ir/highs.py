"""HiGHS through SciPy, for small programmes that are solved by the dozen."""

import ctypes
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SCALE = 100.0  # the largest cost as the solver sees it; its tolerance of a millionth is absolute


class Row(NamedTuple):
    """Σ coefficient × column ≤ upper."""

    coefficients: dict[int, float]  # by column
    upper: float


class Answer(NamedTuple):
    chosen: NDArray[np.bool_] | None  # [columns]; None where none was found, or was not asked for
    bound: float  # no solution has a smaller sum; −∞ where none is known
    proven: bool  # `chosen` is optimal or, without it, there is no solution


def minimise(
    costs: Floats,  # [columns]: binary variables
    rows: list[Row],
    *,
    nodes: int,  # of the search tree
    relaxed: bool = False,  # only the bound, of the linear relaxation
) -> Answer:
    """Optimal up to a hundred-millionth of the largest cost, SCALE times the solver's tolerance."""
    if not len(costs):  # nothing is left to choose: SciPy refuses to ask HiGHS
        holds = all(row.upper >= 0 for row in rows)
        return Answer(np.zeros(0, dtype=bool) if holds else None, 0.0 if holds else np.inf, True)
    # Here, for SciPy takes longer to load than most spaces to compile.
    from scipy.sparse import csr_array

    scale = (float(np.abs(costs).max(initial=0.0)) or 1.0) / SCALE
    matrix = csr_array(
        (
            np.array([v for row in rows for v in row.coefficients.values()], dtype=np.float64),
            np.array([column for row in rows for column in row.coefficients], dtype=np.int32),
            np.cumsum([0, *(len(row.coefficients) for row in rows)]),
        ),
        shape=(len(rows), len(costs)),
    )
    upper = np.array([row.upper for row in rows])
    whole = np.full(len(costs), True)
    return solve(costs, matrix, upper, whole, nodes=nodes, scale=scale, relaxed=relaxed)


def solve(
    costs: Floats,  # [columns]
    matrix: Any,  # sparse [rows, columns]
    upper: Floats,  # [rows]: what matrix × columns may be at most
    whole: NDArray[np.bool_],  # [columns]: is 0 or 1, and nothing between
    *,
    nodes: int,
    scale: float,  # that costs are divided by: the solver's tolerance is absolute
    relaxed: bool = False,
) -> Answer:
    """The least sum of costs by columns from 0 to 1; `nodes` and `relaxed` as above."""
    from scipy.optimize import Bounds, milp

    with silence():
        result = milp(
            costs / scale,
            integrality=(whole & (not relaxed)).astype(int),
            bounds=Bounds(0, 1),
            constraints=(matrix, -np.inf, upper),
            options={"mip_rel_gap": 0.0, "node_limit": nodes},
        )
    least = result.fun if relaxed else result.mip_dual_bound
    bound = -np.inf if least is None else float(least) * scale
    if result.x is None:
        return Answer(None, bound, result.status == 2)
    return Answer(None if relaxed else result.x > 0.5, bound, result.status == 0)


@contextmanager
def silence() -> Generator[None, None, None]:
    """Nothing that C code prints reaches standard output: HiGHS 1.12 prints a line of debugging."""
    if sys.platform == "win32":
        yield  # C code there may have buffers that cannot be reached from here
        return
    library: Any = ctypes.CDLL(None)
    sys.stdout.flush()
    library.fflush(None)
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        library.fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
