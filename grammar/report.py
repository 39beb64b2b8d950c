"""Where the checker puts what it finds. One mistake is told once, however often it is met."""

from wootzc.diagnostics import Diagnostic, Span


class Report:
    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._seen: set[tuple[Span, str]] = set()

    def error(self, span: Span, code: str, message: str, help: str | None = None) -> None:
        self.add(Diagnostic(span, code, message, help))

    def warn(self, span: Span, code: str, message: str, help: str | None = None) -> None:
        self.add(Diagnostic(span, code, message, help, "warning"))

    def add(self, diagnostic: Diagnostic) -> None:
        """A module's body is checked for every use; what is wrong in it is wrong only once."""
        key = (diagnostic.span, diagnostic.code)
        if key not in self._seen:
            self._seen.add(key)
            self.diagnostics.append(diagnostic)

    @property
    def errors(self) -> int:
        return sum(d.severity == "error" for d in self.diagnostics)
