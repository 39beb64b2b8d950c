"""What a `.wz` file says: a network, rates, rules, recipes, an objective."""

from wootzc.ir.net.criteria import Criterion as Criterion
from wootzc.ir.space.space import *
