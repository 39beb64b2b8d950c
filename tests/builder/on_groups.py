"""Run by test_parallel.py: the command line, saying at the end which groups trained on what."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import jax

from wootzc.backends.flax.device.parallel import Devices
from wootzc.cli import main

used: dict[str, set[int]] = {}  # a group's first device and size → devices its results lay on
first = Devices.first


def watched(self: Devices, tree: Any) -> Any:
    place = used.setdefault(f"{self.start}+{self.count}", set())
    for leaf in jax.tree.leaves(tree):
        place.update(device.id for device in leaf.devices())
    return first(self, tree)


Devices.first = watched  # type: ignore[method-assign]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores Ctrl-C
report = Path(sys.argv.pop(1))
try:
    main()
finally:
    report.write_text(json.dumps({group: sorted(ids) for group, ids in used.items()}))
