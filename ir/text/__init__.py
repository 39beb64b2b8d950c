"""The textual form of the IR (`.wzir`), printed and parsed."""

from wootzc.ir.text.parser import parse_ir as parse_ir
from wootzc.ir.text.parser import parse_network as parse_network
from wootzc.ir.text.parser import parse_plan as parse_plan
from wootzc.ir.text.printer import INDENT as INDENT
from wootzc.ir.text.printer import WIDTH as WIDTH
from wootzc.ir.text.printer import print_ir as print_ir
from wootzc.ir.text.printer import print_network as print_network
from wootzc.ir.text.printer import print_plan as print_plan
