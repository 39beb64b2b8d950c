"""Names of networks by those of files."""

import re


def identifier(text: str) -> str:
    """The text as a name of the language: `my-net.v2` is `my_net_v2`, and `3d` is `net_3d`."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return name if name[:1].isalpha() or name[:1] == "_" else f"net_{name}"
