"""Where the checker puts what it finds. One mistake is told once, however often it is met."""

from wootzc.diagnostics import Diagnostic, Span, diagnostic, lies_in, place


class Report:
    """`sources`: text by file. `holes`: what a syntax error took out, so that nothing is said of
    the statements around it but that error. `guessed`: definitions with a syntax error that was
    read as what was likely meant, so that they get no warnings. `errors`: how often one was met.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.sources: dict[str, str] = {}
        self.holes: list[Span] = []
        self.guessed: list[Span] = []
        self.errors = 0
        self._seen: set[tuple[Span, str]] = set()
        self._told: set[tuple[str, ...]] = set()

    def error(self, span: Span, code: str, message: str, help: str | None = None) -> None:
        """Tell of a mistake: nothing is built."""
        self.add(diagnostic(span, code, message, help))

    def warn(self, span: Span, code: str, message: str, help: str | None = None) -> None:
        """Tell of what is allowed and hardly meant."""
        self.add(diagnostic(span, code, message, help, "warning"))

    def note(self, span: Span, code: str, message: str, help: str | None = None) -> None:
        """Tell of what may be of interest."""
        self.add(diagnostic(span, code, message, help, "note"))

    def add(self, found: Diagnostic) -> None:
        """A module's body is checked for every use; what is wrong in it is wrong only once."""
        if self.has_hole(found.span):
            return
        if found.severity == "error":
            self.errors += 1
        elif self.is_guessed(found.span):
            return
        key = (found.span, found.code)
        if key not in self._seen:
            self._seen.add(key)
            self.diagnostics.append(found)

    def is_told(self, *what: str) -> bool:
        """Whether this was asked before."""
        told = what in self._told
        self._told.add(what)
        return told

    def was_taken_out(self, begins: str) -> bool:
        """Whether a syntax error took out a statement that begins so."""
        texts = (self.sources.get(h.file, "")[h.start : h.end] for h in self.holes)
        return any(text.lstrip("; \n").startswith(begins) for text in texts)

    def has_hole(self, span: Span) -> bool:
        """Whether a part of `span` was taken out by a syntax error."""
        return any(lies_in(hole, span) for hole in self.holes)

    def is_guessed(self, span: Span) -> bool:
        """Whether `span` lies in a definition of which a syntax error was repaired."""
        return any(lies_in(span, guessed) for guessed in self.guessed)

    def line(self, span: Span) -> int:
        """The line a span begins in, counted from 1."""
        return place(span, self.sources.get(span.file, ""))[0]
