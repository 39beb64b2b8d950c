"""The store of a build on several hosts: host 0 tells the others what it answers."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wootzc.builder.jobs.checkpoints import Checkpoint, Checkpoints
from wootzc.builder.jobs.lines import Found, Word, out_of_step
from wootzc.builder.jobs.store import Done, Store


class Announced(Store):
    """The store of host 0, which tells the others what it answers."""

    def __init__(self, own: Store, say: Callable[[Word], None]):
        super().__init__(own.place if isinstance(own.place, Path) else own.address, own.tell)
        self._own, self._say = own, say
        self.checkpoints = _AnnouncedCheckpoints(root=own.checkpoints.root, tell=own.tell, say=say)

    def find(self, key: str) -> Done | None:
        done = self._own.find(key)
        self._say(Found(("find", key), done))
        return done

    def finish(self, key: str, *made: Any, **more: Any) -> Done:
        done = self._own.finish(key, *made, **more)
        # Weights too: what each host solved by itself may differ in the last bits.
        self._say(Found(("finish", key), done))
        return done


@dataclass(frozen=True, slots=True, kw_only=True)
class _AnnouncedCheckpoints(Checkpoints[Any]):
    say: Callable[[Word], None]

    def find(self, key: str) -> Checkpoint | None:
        found = Checkpoints.find(self, key)
        self.say(Found(("checkpoint", key), found))
        return found


class Followed(Store):
    """The store of a host that follows: what host 0 says of its own. It keeps nothing."""

    def __init__(self, root: Path, hear: Callable[[], Word]):
        super().__init__(root)
        self._hear = hear
        self.checkpoints = _FollowedCheckpoints(root=root, hear=self.answer)

    def answer(self, *asked: str) -> Any:
        """What host 0 was answered to the same question."""
        match word := self._hear():
            case Found(asked=theirs, answer=answer) if theirs == asked:
                return answer
            case _:
                raise out_of_step(word)

    def find(self, key: str) -> Done | None:
        done: Done | None = self.answer("find", key)
        return done

    def finish(self, key: str, *made: Any, **more: Any) -> Done:
        done: Done = self.answer("finish", key)
        return done

    @contextmanager
    def locked(
        self,
        keys: Sequence[str],
        waiting: Callable[[], None],
        check: Callable[[], None] = lambda: None,
    ) -> Generator[None]:
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class _FollowedCheckpoints(Checkpoints[Any]):
    hear: Callable[..., Any]

    def find(self, key: str) -> Checkpoint | None:
        found: Checkpoint | None = self.hear("checkpoint", key)
        return found

    def write(self, key: str, checkpoint: Checkpoint) -> None: ...

    def drop(self, key: str) -> None: ...
