"""The syntax tree: what a `.wz` file says, before names and numbers mean anything.

Spans never affect equality, so a file and its formatted text have equal trees.
"""

from wootzc.grammar.syntax.definitions import *
from wootzc.grammar.syntax.expressions import *
from wootzc.grammar.syntax.spaces import *
from wootzc.grammar.syntax.top_level import *
