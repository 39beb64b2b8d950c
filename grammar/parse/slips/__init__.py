"""Slips that show in the text around the place where the parser stopped, each with its repair.

One row a slip, in one file per kind of text; the first row that the parser can go on after is told
(syntax_errors.py tries).
"""

from wootzc.grammar.parse.slips.characters import CHARACTERS
from wootzc.grammar.parse.slips.context import Header, headers_at
from wootzc.grammar.parse.slips.headers import HEADERS
from wootzc.grammar.parse.slips.limits import LIMITS
from wootzc.grammar.parse.slips.look_alikes import LOOK_ALIKES
from wootzc.grammar.parse.slips.networks import NETWORKS
from wootzc.grammar.parse.slips.paths import PATHS
from wootzc.grammar.parse.slips.rates import RATES
from wootzc.grammar.parse.slips.row import Found, slips_in
from wootzc.grammar.parse.slips.spaces import SPACES
from wootzc.grammar.parse.slips.statements import STATEMENTS

SLIPS = (
    *CHARACTERS,
    *LOOK_ALIKES,
    *NETWORKS,
    *HEADERS,
    *LIMITS,
    *PATHS,
    *RATES,
    *SPACES,
    *STATEMENTS,
)  # what is special comes first

__all__ = ["SLIPS", "Found", "Header", "headers_at", "slips_in"]
