"""Write the compiler's words into the TextMate grammar: `python editors/make_syntax.py`.

A test holds it up to date.
"""

import re
from pathlib import Path

from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.values import FUNCTIONS
from wootzc.grammar.syntax.keywords import keywords

TARGET = Path(__file__).parent / "vscode" / "syntaxes" / "wootzc.tmLanguage.json"
WORDS = {
    "keyword.control.wootzc": {word for words in keywords().values() for word in words},
    "support.function.layer.wootzc": set(BUILT_IN),
    "support.function.number.wootzc": set(FUNCTIONS),
}


def with_words(text: str) -> str:
    """The grammar's text with these alternatives in its first patterns of these scopes."""
    for scope, words in WORDS.items():
        head = rf'("name": "{re.escape(scope)}",\s*"match": "\\\\b\()[\w|]*'
        text = re.sub(head, lambda found, own=words: found[1] + "|".join(sorted(own)), text)
    return text


if __name__ == "__main__":
    TARGET.write_text(with_words(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {TARGET}")
