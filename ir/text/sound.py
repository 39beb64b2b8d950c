"""Plans from `.wzir` texts, verified: what is wrong is told where it stands."""

from wootzc.diagnostics import Diagnostic, WootzError
from wootzc.ir.plan import Plan
from wootzc.ir.plan.verify import VerifyError, verify
from wootzc.ir.text.parser import parse_placed

HELP = "make it anew from the .wz file: wootzc opt FILE.wz -o plan.wzir"


def sound_plan(text: str, path: str = "<ir>") -> Plan:
    """The plan that `print_plan` printed. Raises `WootzError` with all that is not sound."""
    plan, places = parse_placed(text, (Plan,), path)
    assert isinstance(plan, Plan)
    try:
        verify(plan)
    except VerifyError as error:
        found = [
            Diagnostic(places.of(p.at), "WZ084", f"this plan is not sound: {p}", HELP)
            for p in error.problems
        ]
        raise WootzError(found, {path: text}) from error
    return plan
