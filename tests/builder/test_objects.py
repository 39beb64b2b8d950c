"""A store in a bucket: in obstore's memory, and on moto's server of S3 where that is installed."""

import importlib.util
import itertools
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import Timeout

from wootzc.builder import Built, Options, build
from wootzc.builder.jobs.checkpoints import SECONDS, Checkpoint, Keeper
from wootzc.builder.jobs.events import Event, JobStarted, Progressed, Resumed
from wootzc.builder.jobs.locks import DEAD, Leases
from wootzc.builder.jobs.objects import Object
from wootzc.builder.jobs.places import below, create, drop, exists, place_of, read, replace
from wootzc.builder.jobs.store import Store, is_store
from wootzc.diagnostics import WootzError

pytest.importorskip("obstore")
SERVER = importlib.util.find_spec("moto") is not None
SERVICES = ["memory", pytest.param("s3", marks=pytest.mark.skipif(not SERVER, reason="no moto"))]
numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(params=SERVICES)
def address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A prefix with nothing in it; copies go to a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    name = f"test{next(numbers)}"
    if request.param == "memory":
        return f"memory://{name}/a/prefix"
    url = request.getfixturevalue("server")
    given = {"ENDPOINT_URL": url, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
    for key, value in (given | {"DEFAULT_REGION": "us-east-1", "ALLOW_HTTP": "true"}).items():
        monkeypatch.setenv(f"AWS_{key}", value)
    urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="PUT")).close()
    return f"s3://{name}/a/prefix"


def flip(place: Any) -> None:
    content = bytearray(read(place, 1 << 20))
    content[len(content) // 2] ^= 1
    replace(place, bytes(content))


def artifacts(store: Store) -> list[Any]:
    return list(below(store.place / "artifacts", "*/*.safetensors"))


def test_an_object_is_made_once(address: str) -> None:
    place = place_of(address) / "jobs" / "k.json"
    assert not exists(place) and not list(below(place_of(address), "**"))
    assert create(place, b"first") and not create(place, b"second")
    assert read(place, 5) == b"first" and exists(place)
    with pytest.raises(OSError, match="5 bytes"):
        read(place, 4)
    replace(place, b"third")
    assert list(below(place_of(address), "*/*.json")) == [place]
    assert not list(below(place_of(address), "*.json"))
    drop(place)
    drop(place)
    with pytest.raises(FileNotFoundError):
        read(place, 5)


def test_what_is_stored_is_found(address: str) -> None:
    assert not is_store(address)
    store = Store(address)
    weights = {"w": np.arange(6.0).reshape(2, 3)}
    store.checkpoints.write("key", Checkpoint(result={"steps": 1}, seconds=1.0, arrays=weights))
    assert store.checkpoints.find("key") is not None
    store.finish("key", "block", "b", {"loss": 0.5}, 1.5, weights)
    assert store.checkpoints.find("key") is None
    other = Store(address).find("key")
    assert other is not None and other.weights is not None and other.result == {"loss": 0.5}
    np.testing.assert_array_equal(other.weights["w"], weights["w"])
    assert store.find("none") is None
    assert store.jobs() == [("block", {"loss": 0.5}, 1.5)] and is_store(address)
    assert store.finish("key", "block", "b", {"loss": 9.0}, 9.0).result == {"loss": 0.5}
    assert store.address == str(store.place) == address
    jobs, size = store.size()
    assert jobs == 1 and size > 48
    store.clear()
    assert not list(below(place_of(address), "**")) and not list(store.root.rglob("*.safetensors"))


def test_a_bit_flipped_in_a_bucket_is_told(address: str) -> None:
    told: list[str] = []
    for number, kind in enumerate(("artifacts", "jobs")):
        store = Store(address, told.append)
        store.finish("key", "block", "b", {"loss": 0.5}, 1.5, {"w": np.arange(3.0)})
        for copy in store.root.glob("artifacts/*/*"):
            copy.unlink()
        (place,) = below(store.place / kind, "*/*")
        flip(place)
        assert store.find("key") is None
        assert len(told) == number + 1 and "is damaged, so it is made again" in told[-1]
        store.finish("key", "block", "b", {"loss": 0.5}, 1.5, {"w": np.arange(3.0)})
        assert store.find("key") is not None


def test_copies_spare_fetching_and_are_checked(address: str) -> None:
    told: list[str] = []
    store = Store(address, told.append)
    store.finish("key", "block", "b", {"loss": 0.5}, 1.5, {"w": np.arange(3.0)})
    (copy,) = store.root.glob("artifacts/*/*")
    (place,) = artifacts(store)
    assert copy.read_bytes() == read(place, 1 << 20)
    flip(copy)
    assert store.find("key") is not None and not told
    assert copy.read_bytes() == read(place, 1 << 20)
    drop(place)
    assert store.find("key") is not None
    copy.unlink()
    assert store.find("key") is None and len(told) == 1


def test_one_build_does_a_job_and_the_other_waits(address: str) -> None:
    first, second = Store(address), Store(address)
    waited, done = threading.Event(), []

    def wait() -> None:
        with second.locked(["a", "b"], waited.set):
            done.append("second")

    with first.locked(["b", "c"], lambda: pytest.fail("nobody else is there")):
        thread = threading.Thread(target=wait)
        thread.start()
        assert waited.wait(60)
        done.append("first")
        with pytest.raises(WootzError, match="a build is using this store"):
            Store(address).clear()
    thread.join(60)
    assert done == ["first", "second"]
    assert not list(below(first.place / "locks", "*"))


def test_a_lock_of_a_build_that_is_gone_is_taken(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, here = Store(address)._locks, Store(address)._locks
    assert isinstance(gone, Leases) and isinstance(here, Leases)
    gone.lock("key").acquire(0)
    gone._stop.set()  # as if it had been killed: nothing is let go
    with pytest.raises(Timeout):
        here.lock("key").acquire(0)
    with monkeypatch.context() as patch:
        patch.setattr("wootzc.builder.jobs.locks._runs", lambda process: False)
        taken = here.lock("key").acquire(0)
    with taken, pytest.raises(Timeout):
        Leases(here.root).lock("key").acquire(0)


def test_a_build_on_another_machine_is_gone_when_nothing_is_heard_of_it(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = place_of(address) / "locks"
    assert isinstance(root, Object)
    gone = Leases(root)
    monkeypatch.setattr("wootzc.builder.jobs.locks._machine", lambda: None)
    gone.lock("key").acquire(0)
    gone._stop.set()
    here = Leases(root)
    with pytest.raises(Timeout):
        here.lock("key").acquire(0)
    here.enter()
    now = here.clock()
    here.clock = lambda: now + DEAD + 2
    with here.lock("key").acquire(0):
        pass
    here.leave()


def test_no_build_begins_while_a_bucket_is_cleaned(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what is deleted make it take who cleans for dead."""
    monkeypatch.setattr("wootzc.builder.jobs.locks.WAIT", 0.01)
    store, late = Store(address), threading.Event()
    store.finish("k", "block", "b", {}, 1.0, {"a": np.ones(2)})

    def build() -> None:
        with Store(address).in_use():
            late.set()

    other = threading.Thread(target=build)

    def dropped(place: Any) -> None:
        drop(place)
        if not late.is_set() and isinstance(place, Object):
            if other.ident is None:
                other.start()
            assert not late.wait(0.1)

    monkeypatch.setattr("wootzc.builder.jobs.store.drop", dropped)
    store.clear()
    other.join(60)
    assert late.is_set() and not list(below(store.place, "*/*"))


def test_what_a_cleaner_deletes_at_last_is_said_again(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lets go before anybody has looked again."""
    monkeypatch.setattr("wootzc.builder.jobs.locks.WAIT", 0.01)
    locks = Store(address)._locks
    assert isinstance(locks, Leases)
    deleted = iter([True, False])

    def is_cleaned(leases: Leases) -> bool:
        if next(deleted, False):
            leases.own.drop()
        return False

    monkeypatch.setattr(Leases, "_is_cleaned", is_cleaned)
    with locks.in_use():
        assert locks.own.exists()


def test_what_a_cleaner_deletes_before_it_is_seen_is_said_again(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks, real, deleted = Store(address)._locks, Object.version, iter([True, False])
    assert isinstance(locks, Leases)

    def version(place: Object) -> Any:
        if place == locks.own and next(deleted, False):
            place.drop()
        return real(place)

    monkeypatch.setattr(Object, "version", version)
    with locks.in_use():
        assert locks.own.exists()


def test_who_cleans_after_another_says_that_it_lives(address: str) -> None:
    locks = Store(address)._locks
    assert isinstance(locks, Leases)
    locks.enter()
    locks.own.drop()  # by who cleaned before
    with locks.cleaning():
        assert locks.own.exists()
    locks.leave()


def test_of_two_that_clean_one_waits_for_the_other(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them takes the other for a build, or deletes what it says of itself."""
    monkeypatch.setattr("wootzc.builder.jobs.locks.WAIT", 0.01)
    first, second, real = Store(address), Store(address), Leases.held
    other, dropped = threading.Thread(target=second.clear), list[str]()
    first.finish("k", "block", "b", {}, 1.0)

    def held(leases: Leases) -> bool:
        if other.ident is None:
            other.start()
            while len(list(below(first.place / "locks", "build-*.lock"))) < 2:
                assert other.is_alive()
        return real(leases)

    monkeypatch.setattr(Leases, "held", held)
    monkeypatch.setattr("wootzc.builder.jobs.store.drop", lambda place: dropped.append(str(place)))
    first.clear()
    other.join(60)
    assert not other.is_alive() and not list(below(first.place / "locks", "*"))
    assert dropped and not any("build-" in place for place in dropped)


def test_who_was_killed_while_cleaning_keeps_nobody_waiting(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, here = Store(address)._locks, Store(address)
    assert isinstance(gone, Leases)
    gone.cleaning().__enter__()
    gone._stop.set()
    monkeypatch.setattr("wootzc.builder.jobs.locks._runs", lambda process: False)
    with here.in_use():
        pass
    here.clear()


# Addresses


def test_addresses_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WootzError, match="WZ288"):
        Store("ftp://host/folder")
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(WootzError, match=r"WZ287(.|\n)*wootzc\[objects\]"):
        Store("s3://never/asked")


def test_a_bucket_that_is_not_there(address: str) -> None:
    if address.startswith("memory"):
        pytest.skip("any is there")
    with pytest.raises(WootzError, match="WZ140") as caught:
        Store("s3://no-such-bucket/x")
    assert len(str(caught.value)) < 1_000
    with pytest.raises(WootzError, match="WZ140"):
        is_store("s3://no-such-bucket/x")


def test_a_service_that_fails_is_an_error_of_the_disk(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(address) / "k"
    assert isinstance(place, Object)

    def fails(*_: Any, **__: Any) -> Any:
        raise place.bucket.library.exceptions.GenericError("no route to host\n\nDebug: …")

    for name in ("get", "put", "delete", "head"):
        monkeypatch.setattr(place.bucket.library, name, fails)
    for call in (lambda: place.read(9), lambda: place.create(b""), place.drop, place.version):
        with pytest.raises(OSError, match="no route to host") as caught:
            call()
        assert caught.value.filename == str(place) and "Debug" not in str(caught.value)


# Builds


class Killed(BaseException):
    """As SIGKILL: nothing is written on the way out."""


def outcome(built: Built) -> tuple[Any, bytes]:
    keep = ("rates", "params", "start_accuracy", "accuracy", "steps")
    tried = [{key: one[key] for key in keep} for one in built.summary["tried"]]
    return tried, (built.out / "best" / "weights.safetensors").read_bytes()


def test_a_build_goes_on_from_a_bucket(
    make_space: Any, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_space()
    whole = build(file, Options(out=tmp_path / "whole", store=tmp_path / "store"))
    monkeypatch.setenv(SECONDS, "0")
    monkeypatch.setattr("wootzc.builder.jobs.checkpoints.DEAREST", 1e9)
    monkeypatch.setattr(Keeper, "__exit__", lambda *_: None)
    options = Options(out=tmp_path / "out", store=address)
    events: list[Event] = []
    for stage in ("teacher", "candidate"):

        def kill(event: Event, stage: str = stage) -> None:
            if isinstance(event, Progressed) and event.stage == stage and event.step >= 10:
                raise Killed

        with pytest.raises(Killed):
            build(file, options, [events.append, kill])
    built = build(file, options, [events.append])
    assert outcome(built) == outcome(whole)
    assert {e.stage for e in events if isinstance(e, Resumed)} == {"teacher", "candidate"}
    assert built.summary["store"] == address
    assert not list(below(place_of(address) / "checkpoints", "**"))
    again: list[Event] = []
    build(file, options, [again.append])
    assert not [e for e in again if isinstance(e, JobStarted)]
    names = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert any(name.endswith(".safetensors") for name in names)


def test_two_builds_share_a_bucket(make_space: Any, address: str, tmp_path: Path) -> None:
    file = make_space()
    events: dict[str, list[Event]] = {"a": [], "b": []}
    made: dict[str, Built] = {}

    def run(name: str) -> None:
        options = Options(out=tmp_path / name, store=address)
        made[name] = build(file, options, [events[name].append])

    threads = [threading.Thread(target=run, args=(name,)) for name in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcome(made["a"]) == outcome(made["b"])
    begun = [(e.job, e.name, e.candidate) for both in events.values() for e in both
             if isinstance(e, JobStarted)]  # fmt: skip
    assert begun and len(begun) == len(set(begun)), "nothing is done twice"
    assert not list(below(place_of(address) / "locks", "*"))


def test_a_folder_asks_for_no_obstore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    assert Store(tmp_path).find("k") is None
