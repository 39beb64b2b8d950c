"""The words that the grammar itself knows. `wz.lark` is their one source."""

import re
from collections.abc import Mapping
from functools import cache

from wootzc.grammar.syntax.reader import parser

_WORDS = re.compile(r"\(?(\w+(?:\|\w+)*)\)?\\b")


@cache
def keywords() -> Mapping[str, tuple[str, ...]]:
    """By the terminal that they are: `_DATA` is data, `STAGE` is pretrain, finetune or polish."""
    patterns = {terminal.name: terminal.pattern.value for terminal in parser().terminals}
    found = {name: _WORDS.fullmatch(pattern) for name, pattern in patterns.items()}
    return {name: tuple(match[1].split("|")) for name, match in found.items() if match}
