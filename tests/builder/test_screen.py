"""What a build prints where the output is not a terminal."""

import io
from dataclasses import fields, replace
from typing import get_args

import pytest
from rich.console import Console

from wootzc.builder.jobs.events import (
    NAMES,
    ActivationsKept,
    BestKnown,
    BlockTrained,
    BuildStarted,
    CandidateChosen,
    CandidatesProposed,
    DataLoaded,
    DevicesShared,
    Event,
    Noted,
    Progressed,
    Resumed,
    RunsOn,
    Step,
    SweepFinished,
    Trained,
    WorkerIdle,
    WorkerJoined,
    WorkerLost,
    log_entry,
    log_name,
)
from wootzc.builder.screen import Screen, Verbosity

EVENTS: list[Event] = [
    BuildStarted(space="s", candidates=3, blocks=2, out="build/s", store="store"),
    DataLoaded(source="x.npz", train=10, validation=2, test=2, shape=(8, 8, 1), fitted_from=None),
    Progressed(stage="teacher", step=5, steps=10, loss=0.5),
    Trained(job="teacher", name="teacher", accuracy=0.975, steps=10, reason="steps", seconds=3.0),
    CandidateChosen(
        candidate=0, position=1, of=3, then="begin", cost="params",
        costs={"params": 123456, "macs": 1},
    ),
    BlockTrained(
        block=0, name="a1(0.5)", loss_first=2, loss_last=1, seconds=1.0, steps=10, finite=True
    ),
    Trained(
        job="candidate", name="0.5", candidate=0, start_accuracy=0.5, accuracy=0.9, steps=20,
        reason="steps", seconds=None,
    ),
    BestKnown(candidate=0, met=True, cost="params", costs={"params": 123456, "macs": 1}),
]  # fmt: skip


def chosen(number: int, position: int, params: int, then: Step = "begin") -> CandidateChosen:
    costs = {"params": params, "macs": 1}
    return CandidateChosen(
        candidate=number, position=position, of=9, then=then, cost="params", costs=costs
    )


def looked(number: int, step: int) -> Progressed:
    return Progressed(
        stage="candidate", candidate=number, step=step, steps=20, loss=0.5, accuracy=0.25
    )


def finished(number: int, accuracy: float) -> Trained:
    return Trained(
        job="candidate", name="0.5", candidate=number, start_accuracy=0.5, accuracy=accuracy,
        steps=20, reason="steps", seconds=1.0,
    )  # fmt: skip


AT_ONCE: list[Event] = [
    DevicesShared(count=8, at_once=2),
    chosen(70, position=1, params=1000),
    chosen(30, position=2, params=2000),
    Progressed(stage="blocks", step=5, steps=10, loss=0.5),
    EVENTS[5],
    looked(30, 10),
    looked(70, 10),
    finished(30, 0.75),
    looked(70, 20),
    finished(70, 1.0),
]


def printed(
    verbosity: Verbosity,
    terminal: bool = False,
    events: list[Event] = EVENTS,
) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, highlight=False)
    with Screen(verbosity, console) as screen:
        for event in events:
            screen(event)
    return stream.getvalue()


def test_a_log_gets_plain_lines() -> None:
    text = printed("normal")
    assert "\x1b" not in text
    assert "teacher: validation accuracy 97.50 % (3.0 s)" in text
    assert "candidate 1/3 (123 k params): 50.00 % → 90.00 % in 20 steps (from the store)" in text
    assert "a1(0.5)" not in text


def test_verbose_adds_blocks_and_quiet_prints_nothing() -> None:
    assert "block a1(0.5): loss 2 → 1" in printed("verbose")
    assert printed("quiet") == ""


def test_a_terminal_gets_bars() -> None:
    text = printed("normal", terminal=True)
    assert "ETA" in text and "search" in text and "best" in text


def test_candidates_at_once_are_told_apart() -> None:
    lines = printed("verbose", events=AT_ONCE).splitlines()
    assert [line.split(", ETA")[0] for line in lines] == [
        "devices: 8, 2 candidates at once",
        "  blocks 5/10 loss 0.5000",
        "block a1(0.5): loss 2 → 1 (1.0 s)",
        "  fine-tuning 2 10/20 loss 0.5000 accuracy 25.00 %",
        "  fine-tuning 1 10/20 loss 0.5000 accuracy 25.00 %",
        "candidate 2/9 (2,000 params): 50.00 % → 75.00 % in 20 steps (1.0 s)",
        "  fine-tuning 20/20 loss 0.5000 accuracy 25.00 %",
        "candidate 1/9 (1,000 params): 50.00 % → 100.00 % in 20 steps (1.0 s)",
    ]
    text = printed("normal", terminal=True, events=AT_ONCE)
    assert "fine-tuning 1" in text and "fine-tuning 2" in text


def test_what_was_polished_is_not_taken_to_run_on() -> None:
    events: list[Event] = [
        chosen(70, position=1, params=1000, then="polish"),
        Trained(
            job="polish",
            name="net",
            accuracy=0.75,
            steps=40,
            reason="steps",
            seconds=1.0,
            candidate=70,
        ),
        chosen(30, position=2, params=2000),
        looked(30, 10),
    ]
    assert [line.split(", ETA")[0] for line in printed("verbose", events=events).splitlines()] == [
        "candidate 1/9 (1,000 params): polished to 75.00 % in 40 steps (1.0 s)",
        "  fine-tuning 10/20 loss 0.5000 accuracy 25.00 %",
    ]


def test_what_is_kept_of_the_teacher() -> None:
    events: list[Event] = [
        Noted(message="nothing is kept"),
        ActivationsKept(memory=1_500_000, disk=0, boundaries=[1], images=9),
    ]
    assert printed("normal", events=events) == "note: nothing is kept\n"
    last = printed("verbose", events=events).splitlines()[-1]
    assert last == "kept of the teacher: 1.5 MB in memory, 0 bytes on disk"


def test_images_that_do_not_fit_are_told() -> None:
    data = DataLoaded(
        source="x", train=10, validation=2, test=2, shape=(8, 8, 1), fitted_from=(32, 32, 3)
    )
    fitted = printed("normal", events=[data])
    assert fitted.strip().endswith("2 test images, fitted from 32x32x3 to 8x8x1")
    assert "fitted" not in printed("normal", events=[replace(data, fitted_from=None)])


@pytest.mark.parametrize("event", [*EVENTS, *AT_ONCE], ids=log_name)
def test_the_log_has_every_field(event: Event) -> None:
    entry = log_entry(event)
    costs = getattr(event, "costs", {})
    wanted = {field.name for field in fields(event)} - {"costs"} | {*costs} | {"event"}
    assert entry.keys() == wanted and costs.items() <= entry.items()


def test_events_have_names_of_their_own() -> None:
    assert len({*NAMES.values()}) == len(NAMES) and {*NAMES} <= {*get_args(Event)}


def test_a_training_that_goes_on_says_from_where_and_counts_its_time_from_there() -> None:
    on = Resumed(stage="candidate", candidate=4, step=12, steps=20)
    said = printed("normal", events=[chosen(4, position=1, params=1000), on])
    assert said == "candidate 1/9 (1,000 params): goes on from step 12 of 20\n"
    said = printed("normal", events=[Resumed(stage="teacher", step=600, steps=1000)])
    assert said == "teacher: goes on from step 600 of 1000\n"


def test_what_is_left_is_reckoned_from_the_step_it_went_on_from() -> None:
    now, stream = iter([100.0, 110.0]), io.StringIO()
    console = Console(file=stream, width=100, highlight=False)
    with Screen("verbose", console, lambda: next(now), compiled=lambda: 0.0) as screen:
        for step in (600, 700):
            screen(Progressed(stage="teacher", step=step, steps=1000))
    first, second = stream.getvalue().splitlines()
    assert "ETA" not in first  # nothing is known of its steps
    assert second.endswith("ETA 30.0 s")  # 300 steps, 10 a second


def test_compiling_is_told_and_no_part_of_what_is_left() -> None:
    now, compiled, stream = iter([100.0, 110.0]), iter([5.0, 13.0]), io.StringIO()
    console = Console(file=stream, width=100, highlight=False)
    with Screen("verbose", console, lambda: next(now), lambda: next(compiled)) as screen:
        for step in (0, 10):
            screen(Progressed(stage="teacher", step=step, steps=100, accuracy=0.5))
    first, second = stream.getvalue().splitlines()
    assert first.endswith("accuracy 50.00 % compiling")
    assert second.endswith("10/100  accuracy 50.00 %, ETA 18.0 s")  # two of ten seconds were steps


def test_workers_of_a_cluster_are_named_with_what_they_do() -> None:
    events: list[Event] = [
        WorkerJoined(worker=1, host="n1", process=17, devices="2 × H100"),
        chosen(4, 1, 100),
        RunsOn(what="candidate", candidate=4, worker=1, host="n1"),
        replace(looked(4, 10), worker=1),
        WorkerLost(worker=1, host="n1", doing="candidate 4"),
    ]
    text = printed("verbose", events=events)
    assert "worker 1: n1, 2 × H100" in text
    assert "fine-tuning (worker 1, n1) 10/20" in text
    assert "lost worker 1 (n1): another does its candidate 4" in text


def test_a_terminal_shows_what_each_worker_does() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, highlight=False)
    with Screen("normal", console) as screen:

        def lines(*events: Event) -> list[str]:
            for event in events:
                screen(event)
            return [task.description for task in screen.bars.tasks if "worker" in task.description]

        joined = [
            WorkerJoined(worker=number, host=f"n{number}", process=17, devices="2 × H100")
            for number in (1, 2)
        ]
        assert lines(*joined) == ["worker 1, n1: idle", "worker 2, n2: idle"]
        both = [RunsOn(what="blocks", worker=worker, host=f"n{worker}") for worker in (1, 2)]
        steps = [Progressed(stage="blocks", step=5 * w, steps=10, worker=w) for w in (1, 2)]
        assert lines(*both, *steps) == ["worker 1, n1: blocks", "worker 2, n2: blocks"]
        assert [task.completed for task in screen.bars.tasks] == [5, 10]
        runs = RunsOn(what="candidate", candidate=4, worker=2, host="n2")
        found = lines(WorkerIdle(worker=1), WorkerIdle(worker=2), chosen(4, 1, 100), runs)
        assert found == ["worker 1, n1: idle", "worker 2, n2: candidate 1"]
        lost = WorkerLost(worker=2, host="n2", doing="candidate 4")
        assert lines(lost) == ["worker 1, n1: idle", "worker 2, n2: lost"]
        assert lines(replace(joined[1], host="n3"))[1] == "worker 2, n3: idle"


def test_what_is_proposed_is_counted_when_it_is() -> None:
    """Until scores have chosen, neither candidates nor the blocks they are made of are known."""
    early = BuildStarted(space="s", candidates=500, blocks=None, out="o", store="store")
    sweeps = [SweepFinished(of="variant", variants=n, seconds=1.0) for n in (1, 2)]
    text = printed(
        "normal", events=[early, CandidatesProposed(candidates=480, blocks=112), *sweeps]
    )
    assert "space s: scores will propose up to 500 candidates; results go to o" in text
    assert "proposed: 480 candidates, 112 tuning blocks" in text
    assert "least squares: 1 variant (" in text and "least squares: 2 variants (" in text


def test_the_seconds_of_a_run_that_went_on_are_of_the_steps_it_took() -> None:
    run = finished(70, 0.75)
    went_on = replace(run, steps=50, begun=20)
    text = printed("normal", events=[chosen(70, position=1, params=1000), run, went_on])
    assert "in 20 steps (1.0 s)" in text and "in 50 steps, the last 30 in 1.0 s" in text
