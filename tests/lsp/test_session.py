"""The language server as an editor uses it: over standard input and output, by a real client."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from tests.lsp.conftest import Session

TEXT = """module basic(width, stride = 1) {
  conv(3x3, width, stride = stride); norm; relu
  conv(3x3, width); norm; relu
}

network net {
  input(8x8x3)  // 😀 small
  conv(3x3, 16); norm; relu
  basic(16) as a[1..3]
  basic(32, stride = 2) as b1
  basic(32)
  add { { conv(1x1, 32) } { } }
  global_pool; dense(10)
}

space s over net {
  data "images.npz"
  rates { 0, 50% }
  prune a1..b1, basic1 by l1
  keep a2
  finetune { epochs 2; patience 5 }
  minimize params
  subject to accuracy >= teacher - 1 points
}
"""


@pytest.fixture
def uri(session: "Session") -> str:
    return session.open("net.wz", TEXT)


def hover(session: "Session", uri: str, before: str) -> str:
    params = types.HoverParams(**session.place(uri, before))
    found = session.run(session.client.text_document_hover_async(params))
    assert found is not None and isinstance(found.contents, types.MarkupContent)
    return found.contents.value


def labels(session: "Session", uri: str, before: str) -> list[str]:
    params = types.CompletionParams(**session.place(uri, before))
    found = session.run(session.client.text_document_completion_async(params))
    assert isinstance(found, list)
    return [item.label for item in found]


def definition(session: "Session", uri: str, before: str) -> list[str]:
    params = types.DefinitionParams(**session.place(uri, before))
    found = session.run(session.client.text_document_definition_async(params))
    assert isinstance(found, list)
    return [
        session.text_at(place.uri, place.range) if place.uri in session.texts else place.uri
        for place in found
        if isinstance(place, types.Location)
    ]


def actions(session: "Session", uri: str, there: types.Range, *only: str) -> list[types.CodeAction]:
    context = types.CodeActionContext([], only=list(only) or None)
    document = types.TextDocumentIdentifier(uri)
    params = types.CodeActionParams(document, there, context)
    found = session.run(session.client.text_document_code_action_async(params))
    return [action for action in found or () if isinstance(action, types.CodeAction)]


def renamed(session: "Session", uri: str, before: str, name: str) -> dict[str, str]:
    params = types.RenameParams(**session.place(uri, before), new_name=name)
    edit = session.run(session.client.text_document_rename_async(params))
    assert edit is not None and edit.changes is not None
    return {file: session.edited(file, list(edits)) for file, edits in edit.changes.items()}


def test_diagnostics_come_with_their_fixes(session: "Session", uri: str) -> None:
    assert session.diagnostics(uri) == []
    session.type(uri, "norm; r", "l", removed=2)  # rleu, say
    [found, *_] = session.diagnostics(uri)
    assert (found.code, found.severity) == ("WZ010", types.DiagnosticSeverity.Error)
    assert session.text_at(uri, found.range) == "rlu"
    [action] = actions(session, uri, found.range, types.CodeActionKind.QuickFix.value)
    assert action.edit is not None and action.edit.changes is not None
    assert session.edited(uri, list(action.edit.changes[uri])) == TEXT
    assert action.title == "write `relu`"
    session.type(uri, "norm; r", "el", removed=1)
    assert session.diagnostics(uri) == []


def test_all_safe_fixes_are_one_action(session: "Session") -> None:
    text = TEXT.replace("epochs 2;", "epochs = 2;").replace("keep a2", "keep = a2")
    uri = session.open("unsafe.wz", text)
    whole = types.Range(types.Position(0, 0), types.Position(0, 0))
    [action] = actions(session, uri, whole, "source.fixAll")
    assert action.edit is not None and action.edit.changes is not None
    fixed = session.edited(uri, list(action.edit.changes[uri]))
    assert "epochs 2;" in fixed and "epochs = 2" not in fixed


def test_diagnostics_of_included_files_are_told_there(session: "Session") -> None:
    parts = session.root / "parts.wz"
    parts.write_text("module part() { rleu }\n", encoding="utf-8")
    uri = session.open("main.wz", 'include "parts.wz"\nnetwork n { input(4); part(); dense(2) }\n')
    assert session.diagnostics(uri) == []
    [found] = session.diagnostics(session.uri("parts.wz"))
    assert found.code == "WZ010"
    session.client.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
    )


def test_included_files_count_as_they_stand_in_the_editor(session: "Session") -> None:
    library = session.open("library.wz", "module part() { relu }\n")
    text = 'include "library.wz"\nnetwork n { input(4); part(); dense(2) }\n'
    uri = session.open("user.wz", text)
    assert session.diagnostics(uri) == []
    session.type(library, "module part", "s")
    assert [found.code for found in session.told_next(uri)] == ["WZ010"]
    session.type(library, "module part", "", removed=1)
    assert session.told_next(uri) == []
    session.type(library, "module part", "s")
    assert session.told_next(uri)
    document = types.TextDocumentIdentifier(library)  # closed, it counts as it was saved
    session.client.text_document_did_close(types.DidCloseTextDocumentParams(document))
    assert session.told_next(uri) == []


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_formatting(session: "Session", newline: str) -> None:
    text = TEXT.replace("\n", newline)
    uri = session.open("untidy.wz", text.replace("conv(3x3, 16); ", "conv( 3x3,16 ) ;"))
    options = types.FormattingOptions(tab_size=2, insert_spaces=True)
    params = types.DocumentFormattingParams(types.TextDocumentIdentifier(uri), options)
    edits = session.run(session.client.text_document_formatting_async(params))
    assert edits is not None
    assert session.edited(uri, list(edits)) == text
    session.type(uri, "network", "(")
    assert session.run(session.client.text_document_formatting_async(params)) is None


def test_hover_of_layers_and_modules(session: "Session", uri: str) -> None:
    assert hover(session, uri, "input(8x8x3)  // 😀 small\n  co|nv").splitlines() == [
        "```wz",
        "conv(kernel, width, stride = 1, padding = same, dilation = 1, groups = 1, bias = auto)",
        "```",
        "",
        "8x8x3 → 8x8x16 · 432 params · 27,648 MACs",
    ]
    assert "made 5 times" in hover(session, uri, "con|v(3x3, width, stride")
    assert "8x8x16 → 4x4x32" in hover(session, uri, "  bas|ic(32, stride = 2) as b1")
    assert "net: a1, a2, a3, b1, basic1" in hover(session, uri, "module bas|ic")
    assert "add { { … } { … } }" in hover(session, uri, "  ad|d {")
    assert "8x8x3 → 10 · 5 modules" in hover(session, uri, "over ne|t")
    assert "`stride` of `basic`: a value" in hover(session, uri, "(32, stri|de")
    assert "`stride` of `conv`: a whole number or a size" in hover(
        session, uri, "width, stri|de = st"
    )


def test_hover_in_spaces(session: "Session", uri: str) -> None:
    assert "16 candidates of 5 modules" in hover(session, uri, "space s|")
    epochs = hover(session, uri, "epoch|s 2")
    assert "passes over the training images" in epochs
    assert "a number above 0" in epochs and "Default: `3, of 100 to 2,000 steps`" in epochs
    assert "Default" not in hover(session, uri, "patien|ce")
    assert hover(session, uri, "prune a1.|.b1") == "4 modules: a1, a2, a3, b1"
    assert "how an assembled candidate is trained" in hover(session, uri, "finetu|ne {")
    narrow = session.open("narrow.wz", TEXT.replace("  keep a2", "  narrow t*"))
    assert hover(session, narrow, "narrow t|*") == "6 trunks: t1, t2, t3, t4, t5, t6"


def test_completion(session: "Session") -> None:
    uri = session.open("typing.wz", TEXT + "\n")
    session.type(uri, "dense(10)\n}\n", "net")
    assert {"include", "let", "module", "network", "space"} == set(
        labels(session, uri, "\n}\nnet|\n")
    )
    cases = {
        "network net {\n  in|put": {"conv", "basic", "add", "input", "module"},
        "conv(3x3, width); no|rm": {"norm", "basic", "relu"},
        "basic(32, str|ide": {"width", "stride"},
        "conv(3x3, wid|th)": {"kernel", "width", "stride", "padding"},
        "over n|et": {"net", "resnet50", "cifar_resnet20"},
        "  rat|es": {"rates", "prune", "finetune", "subject", "budget"},
        "prune a|1": {"a1", "a2", "a3", "b1", "basic1", "a*"},
        "keep a|2": {"a1", "depthwise", "b*"},
        "by l|1": {"l1", "bn_scale", "random"},
        "epo|chs": {"epochs", "distill", "optimizer", "batch"},
        "minimize pa|rams": {"params", "macs"},
    }
    for before, expected in cases.items():
        found = labels(session, uri, before)
        assert expected <= set(found), before
        assert len(found) == len(set(found)), before
    assert "conv" not in labels(session, uri, "prune a|1")
    assert "reconstruct" not in labels(session, uri, "epo|chs")
    assert "a1" not in labels(session, uri, "conv(3x3, width); no|rm")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("explore ", "predicted"), ("blocks ", "wootz"), ("budget 3 ", "minutes"),
        ("where ", "nondecreasing"), ("where nondecreasing(", "a1"), ("polish ", "off"),
        ("teacher { optimizer ", "adamw"), ("teacher { schedule ", "cosine"),
        ("teacher { optimizer sgd(0.1, ", "momentum"), ("augment { ", "flip"),
        ("pretrain { reconstruct 5 ", "images"), ("data fol", "folder"),
        ("sample 5 stratified by ", "macs"), ("subject to ", "accuracy"), ("until ", "saving"),
        ("prune a1 ", "by"), ("narrow ", "t1"), ("skip ", "a2"),
        ("subject to accuracy >= teacher - 1 ", "points"), ("narrow t* by ", "l1"),
        ("latency on ", "onnxruntime"), ("latency on onnxruntime { ", "threads"),
    ],
)  # fmt: skip
def test_completion_of_what_is_not_complete(
    session: "Session", statement: str, expected: str
) -> None:
    uri = session.open("open.wz", TEXT.replace("  keep a2", f"  {statement}"))
    assert expected in labels(session, uri, f"{statement}|")


def test_completion_of_files(session: "Session") -> None:
    (session.root / "images").mkdir(exist_ok=True)
    for name in ("a.npz", "net.onnx", "w.safetensors", "b.wz", "images/more.npz"):
        (session.root / name).touch()
    uri = session.open("paths.wz", TEXT.replace("images.npz", "") + 'network o from "x"\n')
    assert {"a.npz", "images"} <= set(labels(session, uri, 'data "|'))
    assert "net.onnx" not in labels(session, uri, 'data "|')
    assert "net.onnx" in labels(session, uri, 'from "|')
    session.type(uri, 'data "', "images/")
    assert labels(session, uri, 'data "images/|') == ["more.npz"]


def test_definition(session: "Session", uri: str) -> None:
    assert definition(session, uri, "bas|ic(16) as a") == ["basic"]
    assert definition(session, uri, "stride = st|ride") == ["stride"]
    assert definition(session, uri, "over n|et") == ["net"]
    assert definition(session, uri, "keep a|2") == ["a[1..3]"]
    assert definition(session, uri, "prune a1.|.b1") == ["a[1..3]", "b1"]
    assert definition(session, uri, "norm|") == []


def test_definition_in_other_files(session: "Session") -> None:
    (session.root / "lib.wz").write_text("module part() { relu }\n", encoding="utf-8")
    text = 'include "lib.wz"\nspace s over cifar_resnet20 { minimize params }\n'
    uri = session.open("user.wz", text + "network n { input(4); part(); dense(2) }\n")
    assert definition(session, uri, "lib|.wz") == [session.uri("lib.wz")]
    assert definition(session, uri, "pa|rt()") == [session.uri("lib.wz")]


def test_references(session: "Session", uri: str) -> None:
    context = types.ReferenceContext(include_declaration=True)
    for before, count in (("modu|le basic", 0), ("module ba|sic", 5), ("as a|[1", 3)):
        params = types.ReferenceParams(context=context, **session.place(uri, before))
        found = session.run(session.client.text_document_references_async(params))
        assert len(found or ()) == count, before


def test_rename(session: "Session", uri: str) -> None:
    block = renamed(session, uri, "module ba|sic", "block")[uri]
    assert "module block(" in block and block.count("basic") == 0 and "block1 by l1" in block
    first = renamed(session, uri, "keep a|2", "first")[uri]
    assert "as first[1..3]" in first and "prune first1..b1" in first and "keep first2" in first
    wide = renamed(session, uri, "module basic(wid|th", "filters")[uri]
    assert wide == TEXT.replace("width", "filters")
    prepare = types.PrepareRenameParams(**session.place(uri, "keep a|2"))
    found = session.run(session.client.text_document_prepare_rename_async(prepare))
    assert isinstance(found, types.PrepareRenamePlaceholder) and found.placeholder == "a"


@pytest.mark.parametrize(
    ("before", "name", "reason"),
    [
        ("module ba|sic", "conv", "`conv` is built in"),
        ("as a|[1", "b", "there is another instance `b`"),
        ("as a|[1", "7", "`7` is no name"),
        ("as b|1", "abc", "the pattern `a\\*` would name `abc1`, too"),
        ("as a|[1", "z", "the pattern `a\\*` names `a1`, but would not name `z1`"),
        ("rel|u", "act", "there is no name here"),
    ],
)
def test_renames_that_would_change_the_meaning_are_refused(
    session: "Session", before: str, name: str, reason: str
) -> None:
    uri = session.open("globs.wz", TEXT.replace("keep a2", "keep a*"))
    with pytest.raises(JsonRpcException, match=reason):
        renamed(session, uri, before, name)


def test_a_name_with_a_dot_is_renamed_wherever_it_stands(session: "Session") -> None:
    text = TEXT.replace("as b1", "as b.one").replace("a1..b1", "a1..b.one")
    uri = session.open("dots.wz", text)
    new = renamed(session, uri, "as b.o|ne", "last")[uri]
    assert "as last" in new and "prune a1..last" in new and "b.one" not in new


def test_symbols(session: "Session", uri: str) -> None:
    params = types.DocumentSymbolParams(types.TextDocumentIdentifier(uri))
    found = session.run(session.client.text_document_document_symbol_async(params))
    symbols = [s for s in found or () if isinstance(s, types.DocumentSymbol)]
    assert [s.name for s in symbols] == ["basic", "net", "s"]
    assert [s.name for s in symbols[1].children or ()] == ["a[1..3]", "b1"]
    assert [s.name for s in symbols[2].children or ()][:3] == ["data", "rates", "prune"]


def test_inlay_hints(session: "Session", uri: str) -> None:
    whole = types.Range(types.Position(0, 0), types.Position(30, 0))
    params = types.InlayHintParams(types.TextDocumentIdentifier(uri), whole)
    found = session.run(session.client.text_document_inlay_hint_async(params))
    shown = {hint.position.line: hint.label for hint in found or ()}
    assert shown == {
        7: "→ 8x8x16", 8: "→ 8x8x16", 9: "→ 4x4x32", 10: "→ 4x4x32", 11: "→ 4x4x32", 12: "→ 10",
    }  # fmt: skip


CONSTRUCTS = """let size = 8
let thin = size * 2
module basic(width, act = relu) {
  add { { conv(3x3, max(width, channels)); act; conv(3x3, width) } { shortcut_if_fits } }
}
network net(act = relu) {
  input(size x size x 3)
  conv(3x3, thin); act
  basic(thin then 32, act = act) as a[1..3]
  global_pool; dense(10)
}
space s over net {
  data "images.npz"
  rates 0..80% step 20%
  minimize params
  subject to accuracy >= teacher - 1 points
}
space t from s { prune * except a1; teacher { batch size } }
"""


def test_constants_spaces_on_others_and_layers_as_parameters(session: "Session") -> None:
    uri = session.open("constructs.wz", CONSTRUCTS)
    assert "let thin = 16" in hover(session, uri, "th|in then")
    assert "a1" in hover(session, uri, "except a|1")
    assert "space t over net" in hover(session, uri, "space t| from")
    assert "space s over net" in hover(session, uri, "from s| {")
    assert definition(session, uri, "input(si|ze") == ["size"]
    assert definition(session, uri, "batch si|ze") == ["size"]
    assert definition(session, uri, "from s|") == ["s"]
    assert definition(session, uri, "except a|1") == ["a[1..3]"]
    side = renamed(session, uri, "let si|ze", "side")[uri]
    assert side == CONSTRUCTS.replace("size", "side")
    nonlinear = renamed(session, uri, "network net(a|ct", "f")[uri]
    assert "conv(3x3, thin); f\n" in nonlinear and "act = f)" in nonlinear
    assert len(re.findall(r"\bact\b", nonlinear)) == 3, "that of the module is another"
    first = renamed(session, uri, "as a|[1", "first")[uri]
    assert "prune * except first1" in first


def test_completion_of_constructs(session: "Session") -> None:
    uri = session.open("constructs.wz", CONSTRUCTS)
    cases = {
        "basic(th|in": {"thin", "size", "max", "round", "channels", "width", "act"},
        "thin th|en": {"then"},
        "size |x": {"x"},
        "{ shortcut_if|_fits": {"shortcut", "shortcut_if_fits"},
        "80% st|ep": {"step"},
        "* ex|cept": {"except", "by"},
        "except a|1": {"a1", "a2", "a*"},
        "from s| {": {"s", "t"},
    }
    for before, expected in cases.items():
        assert expected <= set(labels(session, uri, before)), before


def test_every_place_of_the_samples_is_answered(session: "Session") -> None:
    """No request at any character of any sample fails."""
    for path in sorted((Path(__file__).parents[2] / "samples").glob("*.wz")):
        uri = session.open(path.name, path.read_text(encoding="utf-8"))
        for line, text in enumerate(session.texts[uri].splitlines()):
            for column in range(0, len(text) + 1, 7):
                there: dict[str, Any] = {
                    "text_document": types.TextDocumentIdentifier(uri),
                    "position": types.Position(line, column),
                }
                client = session.client
                session.run(client.text_document_hover_async(types.HoverParams(**there)))
                session.run(client.text_document_definition_async(types.DefinitionParams(**there)))
                session.run(client.text_document_completion_async(types.CompletionParams(**there)))


def test_a_constant_in_a_network_from_a_file_is_renamed_too(session: "Session") -> None:
    text = 'let size = 8\nnetwork n from "absent.onnx" { input(size x size x 3) }\n'
    uri = session.open("imported.wz", text)
    assert renamed(session, uri, "let si|ze", "side")[uri] == text.replace("size", "side")
