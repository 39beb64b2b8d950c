"""What a `.wz` file says: a network, rates, rules, recipes, an objective."""

from wootzc.ir.space.space import *
