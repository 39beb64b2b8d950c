"""What passes fill in, what they must keep, and how long training takes."""

from wootzc.ir.plan.plan import *
