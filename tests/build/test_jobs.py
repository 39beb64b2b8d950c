"""Where a candidate's job is found that another one serves as well."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from wootzc.build.events import Events
from wootzc.build.jobs import Jobs
from wootzc.build.store import Done, Store


def test_a_job_is_run_only_where_nothing_serves(tmp_path: Path) -> None:
    store = Store(tmp_path)
    jobs = cast(Jobs, SimpleNamespace(store=store, events=Events(), _waiting=lambda: None))
    made: list[int] = []

    def make() -> tuple[dict[str, Any], None]:
        made.append(1)
        return {"reason": "paused", "history": []}, None

    whole = Done(key="whole", result={"reason": "steps"}, seconds=1.0)
    other = Jobs._run(jobs, "candidate", "0.5", "cut", make, instead=lambda: whole)
    assert other.reused and other.done is whole and not made
    assert not Jobs._run(jobs, "candidate", "0.5", "cut", make).reused and made == [1]
    again = Jobs._run(jobs, "candidate", "0.5", "cut", make, instead=lambda: whole)
    assert again.reused and again.done.key == "cut"  # its own comes first
