"""What `wootzc check` has found in one file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wootzc.diagnostics import Diagnostic

if TYPE_CHECKING:
    from wootzc.grammar import Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found in one file; `analysis` is None where it could not be read."""

    file: Path
    diagnostics: tuple[Diagnostic, ...]
    sources: dict[str, str]
    analysis: "Analysis | None" = None
    fixes: int = 0  # applied

    @property
    def ok(self) -> bool:
        return not any(d.severity == "error" for d in self.diagnostics)
