"""segment-modules: modules for a network that has none."""

from dataclasses import dataclass, replace
from typing import ClassVar

from wootzc.ir.graph.segment import segment_modules
from wootzc.ir.plan import Plan
from wootzc.ir.space import Criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentModules:
    """Cut a network of plain layers into modules, each with all rates of the space, by l1.

    Before: network { conv 8; relu; conv 8; relu; global_pool; dense 4 }
    After:  network { module block1 { conv 8; relu; conv 8; relu }; global_pool; dense 4 }

    How modules are found: ir/graph/structure.py. A network that has modules stays as it is, and so
    does one with nothing to prune.
    """

    name: ClassVar[str] = "segment-modules"

    def __call__(self, plan: Plan) -> Plan:
        space = plan.space
        network = segment_modules(space.network)
        modules = len(network.modules)
        if modules == len(space.network.modules):
            return plan
        by: Criterion = "l1"
        whole = replace(
            space,
            network=network,
            choices=(tuple(range(len(space.rates))),) * modules,
            criteria=(by,) * modules,
        )
        return Plan(space=whole)  # what was worked out before was about no modules
