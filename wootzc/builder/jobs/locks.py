"""Who does which job: locks that spare two builds on one store from doing the same.

They spare work, and are no condition for what is stored being true: of two that do one job the
first to record it wins.

    store/locks/build-….lock    a build that runs
    store/locks/KEY.lock        a job under way
    store/locks/cleaning        held while the store is cleaned, and for a moment as a build begins

In a folder these are files, locked by the system, which unlocks those of a process that is gone.
A bucket has nothing of the kind: there a build writes its own object anew every `BEAT` seconds, and
a job's object names the build that does it. One that has not been heard of for `DEAD` seconds, by
the clock of the service, or whose process on this machine is gone, holds nothing any more. Who
cleans holds `cleaning` as if it were a job, and a build that begins waits for its end.
"""

import contextlib
import json
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from wootzc.builder.jobs.objects import Object
from wootzc.builder.jobs.places import Place, put_aside

OLD = 3600  # seconds after which a lock that nobody holds was left by a kill
BEAT = 20.0
DEAD = 70.0
WAIT = 1.0  # between two looks at what another holds
CLEANING = "cleaning"  # the file that who cleans holds, and who begins a build for a moment
BUILDS = "build-*.lock"  # what builds, and who cleans, say of themselves
MOST = 1 << 12  # bytes of an object here


@dataclass(frozen=True, slots=True)
class FileLocks:
    """Locks in a folder."""

    root: Path

    def lock(self, key: str) -> FileLock:
        path = self.root / f"{key}.lock"
        put_aside(path)
        return FileLock(path)

    @contextlib.contextmanager
    def in_use(self) -> Generator[None]:
        path = self.root / f"build-{uuid.uuid4().hex}.lock"
        own = FileLock(path)
        try:
            with self.cleaning():
                self._clear()
                own.acquire()
            yield
        finally:
            own.release()
            path.unlink(missing_ok=True)

    def cleaning(self) -> AbstractContextManager[Any]:
        """No build begins within: it would miss what is deleted after nobody held a lock."""
        put_aside(self.root / CLEANING)
        return FileLock(self.root / CLEANING)

    def lives(self, place: Place) -> bool:
        """Whether it says that a process lives: a lock that the system holds needs no file."""
        return False

    def held(self) -> bool:
        """Whether anybody holds one."""
        for path in self.root.glob("*.lock"):
            try:
                if not path.is_dir():
                    with FileLock(path, timeout=0):
                        pass
            except Timeout:
                return True
        return False

    def _clear(self) -> None:
        """Remove what killed builds left. A lock that was just made may not be held yet."""
        for path in self.root.glob("build-*.lock"):
            with contextlib.suppress(OSError, Timeout):
                if time.time() - path.stat().st_mtime > OLD:
                    with FileLock(path, timeout=0):
                        path.unlink()


@dataclass(slots=True)
class Leases:
    """Locks in a bucket."""

    root: Object
    own: Object = field(init=False)
    clock: Callable[[], float] = time.monotonic
    _holders: int = 0
    _cleans: bool = False  # what this process is here for
    _heard: tuple[datetime, float] | None = None  # of this build: by the service's clock, and ours
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.own = self.root / f"build-{uuid.uuid4().hex}.lock"

    def lock(self, key: str) -> "Lease":
        token = f"{self.own.name}\n{uuid.uuid4().hex}".encode()
        return Lease(self, self.root / f"{key}.lock", token)

    @contextlib.contextmanager
    def in_use(self) -> Generator[None]:
        """This build lives, and says so as long as anybody here is inside."""
        self._cleans = False
        self.enter()
        try:
            # Who cleans looks for builds when it has said that it does; so one sees the other. What
            # was said here before may be deleted by then.
            while self._is_cleaned() or not self.own.exists():
                time.sleep(WAIT)
                with self._guard:
                    self.beat()
            yield
        finally:
            self.leave()

    @contextlib.contextmanager
    def cleaning(self) -> Generator[None]:
        """No build begins within, and no other cleans."""
        self._cleans = not self._holders  # a build that cleans stays one
        token = f"{self.own.name}\n{uuid.uuid4().hex}".encode()
        try:
            with Lease(self, self.root / CLEANING, token).acquire(timeout=math.inf):
                with self._guard:
                    self.beat()  # what was said here is deleted by another who cleaned before
                yield
        finally:
            self._cleans = False

    def lives(self, place: Place) -> bool:
        """Whether it says that a process lives: this one, or one that waits for it to end."""
        if not isinstance(place, Object):
            return False
        says = fnmatch(place.name.rpartition("/")[2], BUILDS)
        return place == self.own or (says and not self.is_dead(place))

    def enter(self) -> None:
        with self._guard:
            if self._holders == 0:
                self.beat()
                self._stop = threading.Event()
                threading.Thread(target=self._live, args=(self._stop,), daemon=True).start()
            self._holders += 1

    def leave(self) -> None:
        with self._guard:
            self._holders -= 1
            if self._holders == 0:
                self._stop.set()
                self.own.drop()

    def held(self) -> bool:
        """Whether another build lives. Asked while this one does. Who waits to clean is none."""
        builds = [place for place, _ in self.root.below(BUILDS)]
        living = [build for build in builds if build != self.own and not self.is_dead(build)]
        said = map(_said, living)
        return any(who is not None and not who.get("cleans") for who in said)

    def beat(self) -> None:
        who = {"machine": _machine(), "process": os.getpid(), "cleans": self._cleans}
        said, heard = json.dumps(who).encode(), None
        while heard is None:
            then = self.clock()
            self.own.replace(said)
            with contextlib.suppress(FileNotFoundError):  # who cleans has just deleted it
                heard = self.own.version()[1]
        self._heard = heard, then

    def is_dead(self, build: Object) -> bool:
        """Whether a build is not there any more. Asked while this one is."""
        assert self._heard is not None, "this build says that it lives"
        if (who := _said(build)) is None:
            return True
        try:
            heard = build.version()[1]
        except FileNotFoundError:
            return True
        if who.get("machine") == _machine() is not None:
            return not _runs(who.get("process"))
        now, then = self._heard
        return (now - heard).total_seconds() + self.clock() - then > DEAD

    def _is_cleaned(self) -> bool:
        """Whether another process cleans the store now."""
        try:
            holder = (self.root / CLEANING).read(MOST)
        except FileNotFoundError:
            return False
        build = Object(self.root.bucket, holder.partition(b"\n")[0].decode(errors="replace"))
        return build != self.own and not self.is_dead(build)

    def _live(self, stop: threading.Event) -> None:
        while not stop.wait(BEAT):
            with contextlib.suppress(OSError), self._guard:  # the next may get through
                if not stop.is_set():
                    self.beat()


@dataclass(frozen=True, slots=True)
class Lease:
    """The lock of one job in a bucket; it is used as a `FileLock` is."""

    leases: Leases
    place: Object
    # The build, and whose of its threads: where the answer to a request was lost, this tells.
    token: bytes

    def acquire(self, timeout: float) -> AbstractContextManager[None]:
        """Raises `Timeout`."""
        self.leases.enter()
        try:
            until = self.leases.clock() + timeout
            while not self._taken():
                if (left := until - self.leases.clock()) <= 0:
                    raise Timeout(str(self.place))
                time.sleep(min(left, WAIT))
        except BaseException:
            self.leases.leave()
            raise
        return self._until_left()

    def _taken(self) -> bool:
        if self.place.create(self.token):
            return True
        try:
            holder = self.place.read(MOST)
            tag, _ = self.place.version()
        except FileNotFoundError:  # it was let go meanwhile
            return self.place.create(self.token)
        if holder == self.token:
            return True
        build = holder.partition(b"\n")[0].decode(errors="replace")
        is_dead = self.leases.is_dead(Object(self.place.bucket, build))
        return is_dead and self.place.swap(self.token, tag)

    @contextlib.contextmanager
    def _until_left(self) -> Generator[None]:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                if self.place.read(MOST) == self.token:
                    self.place.drop()
            self.leases.leave()


Locks = FileLocks | Leases


def locks_in(root: Place) -> Locks:
    return Leases(root) if isinstance(root, Object) else FileLocks(root)


def _said(build: Object) -> dict[str, Any] | None:
    """What a build says of itself; None where it is gone, or no text of it is whole."""
    try:
        who = json.loads(build.read(MOST))
    except (FileNotFoundError, ValueError):
        return None
    return who if isinstance(who, dict) else {}


@cache
def _machine() -> str | None:
    """What processes have in common that see each other's numbers. None: not to be told here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _runs(process: Any) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, TypeError, ValueError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True
