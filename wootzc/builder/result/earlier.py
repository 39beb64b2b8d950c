"""What stands in the folder that a build writes to: whose it is, and what an earlier build left."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wootzc.builder.jobs.events import Warned
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.result.summary import read_summary
from wootzc.builder.search.search import Search
from wootzc.diagnostics import WootzError, fail
from wootzc.driver import placed
from wootzc.files import load_json
from wootzc.ir.text import print_plan


def make_folder(out: Path) -> None:
    """The folder `out`; raises `WootzError` where it can't be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise fail(
            "WZ144", f"can't write to {out}: {error.strerror}", "choose another with --out DIR"
        ) from None


def check_owner(out: Path, origin: str) -> None:
    """Refuse a folder that holds what another file's build found."""
    owner = _read(out / "result.json", "built_from")
    if owner is not None and owner != origin:
        raise fail(
            "WZ127",
            f"{out} holds the result of {owner}",
            "choose another folder with --out DIR, give the space another name, or overwrite it "
            "with --replace",
        )


@contextmanager
def telling_of_exports(out: Path, events: Events) -> Generator[None]:
    """Warn if exports in the folder are of another network than the best is afterwards."""
    before = _weights_hash(out)
    yield
    if (out / "export").is_dir() and before not in (None, _weights_hash(out)):
        message = f"what is in {out / 'export'} is of an earlier result: export again"
        events.emit(Warned(message=message))


def went_as_far(out: Path, search: Search) -> bool:
    """An earlier build of the same tried all that this one did: its result is to stay."""
    file = out / "plan.wzir"
    try:
        earlier, plan = read_summary(out), file.read_text(encoding="utf-8")
    except (WootzError, OSError, ValueError):
        return False
    if earlier.teacher.key != search.jobs.keys.teacher:
        return False
    if plan != print_plan(placed(search.jobs.plan, file)):
        return False
    steps = {one.candidate: one.steps for one in earlier.tried}
    return all(one.steps <= steps.get(one.candidate, -1) for one in search.tried)


def _weights_hash(out: Path) -> str | None:
    kept: str | None = _read(out / "best" / "manifest.json", "weights_sha256")
    return kept


def _read(path: Path, key: str) -> Any:
    """One value of an earlier result; None where there is none that can be read."""
    try:
        return load_json(path).get(key)
    except WootzError:
        return None
