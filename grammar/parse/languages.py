"""Texts, and parts of texts, in other languages: one mistake, not twenty."""

import re

from wootzc.diagnostics import Diagnostic, Span
from wootzc.grammar.parse.braces import end_of_indented

_WRITES = "docs/language.md says what one looks like; `wootzc init MODEL IMAGES` writes one"
_EXPORT = (
    'a model in Python is exported to ONNX first, and read: `network NAME from "model.onnx"`; '
    "`wootzc init model.onnx IMAGES` writes a .wz file for it"
)
_CAFFE = 'save it as .prototxt, and read it: `network NAME from "deploy.prototxt"`'

# By how the text begins, behind comments and empty lines.
_TEXTS = (
    ("Python", _EXPORT,
     r"(?:\"{3}[\s\S]*?\"{3}\s*)?(?P<at>import [\w.]+(?: as \w+)?(?=\n)|from [\w.]+ import [^\n]+"
     r"|@\w[^\n]*|(?:class|def) \w+[^\n{]*:(?=[^\S\n]*\n)|\w+ = \w+\.\w[\w.]*\([^\n]*"
     r"|\w+ = [\[{][^\S\n]*[\[{'\"\n][^\n]*)"),
    ("JSON", _WRITES, r"(?P<at>[\[{](?=\s*[\"{\[]))"),
    ("TOML", _WRITES, r"(?P<at>\[[\w.\"-]+\])[^\S\n]*\n\s*[\w.-]+ *="),
    ("a Caffe prototxt", _CAFFE,
     r"(?P<at>name *: *\"[^\"\n]*\"|layers? *\{|input *: *\")(?=[\s\S]*\btype *:)"),
    ("YAML", _WRITES,
     r"(?P<at>---(?=\n)|- [^\n]+|[\w-]+:(?=[^\S\n]*\n)|[\w-]+: [^\n]+(?=\n[\w-]+:[ \n]))"),
    ("MLIR", "what is exported as ONNX is read: `network NAME from \"model.onnx\"`",
     r"(?P<at>(?:builtin\.)?module @[^\n]*|func(?:\.func)? (?:private )?@[^\n]*|#\w+ = [^\n]*)"),
    ("C", _WRITES, r"(?P<at>#include *<[^\n]*|#pragma [^\n]*)"),
    ("XML", _WRITES, r"(?P<at><[?!/\w][^\n]*)"),
    ("a script", _WRITES, r"(?P<at>#![^\n]*)"),
)  # fmt: skip
_FIRST = r"(?:\s|//[^\n]*\n|#(?!include\b|pragma\b|!|\w+ =)[^\n]*\n)*"
_BEGINS = [(name, help, re.compile(_FIRST + begins)) for name, help, begins in _TEXTS]
_OURS = re.compile(r"^(?:module|network|space)\b(?! *@)[^\n]*\{", re.MULTILINE)
_BLOCK = re.compile(r"[^\S\n]*(?:class|def|async def)\b[^\n{]*?(?P<colon>:)[^\S\n]*\n")


def other_language(text: str, path: str) -> Diagnostic | None:
    """What to say of a text that is none of ours by how it begins; a slip in one is told as one."""
    if _OURS.search(text):
        return None
    for name, help, begins in _BEGINS:
        if (found := begins.match(text)) is not None:
            return Diagnostic(
                Span(path, *found.span("at")), "WZ331", f"this is {name}, and no .wz text", help
            )
    return None


def python_block(text: str, path: str, position: int) -> Diagnostic | None:
    """A class or a function of Python around a position, as a whole."""
    line = text.rfind("\n", 0, position) + 1
    header = _BLOCK.match(text, line)
    end = end_of_indented(text, header.start("colon")) if header else 0
    if header is None or end <= header.end():
        return None
    if re.search(r"[{}][^\S\n]*$", text[header.end() : end], re.MULTILINE):
        return None  # ours, with a header of Python's
    start = line + len(header[0]) - len(header[0].lstrip())
    return Diagnostic(
        Span(path, start, end), "WZ331", "this is Python, and no part of a .wz text",
        "a group of layers is written as in `module basic(width) { conv(3x3, width); norm; relu }`",
    )  # fmt: skip
