"""Candidates picked from a space that was never listed, and guesses of accuracy."""

from wootzc.ir.propose.proposer import APART as APART
from wootzc.ir.propose.proposer import Proposals as Proposals
from wootzc.ir.propose.proposer import proposals as proposals
