"""Names of classes and attributes in generated PyTorch files."""

import keyword
from collections.abc import Iterable

from wootzc.backends.python_text import unused

# What the generated file and `nn.Module` call their own. A test compares it with torch itself.
TAKEN_CLASSES = frozenset({"CLASSES", "F", "HERE", "INPUT", "MEAN", "Net", "Path", "STD"})
TAKEN_ATTRIBUTES = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict mean modules mtia named_buffers named_children
    named_modules named_parameters parameters register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state
    set_submodule share_memory state_dict std to to_empty train training type xpu zero_grad
    """.split()
)


def attributes(segments: Iterable[str]) -> dict[str, str]:
    """An attribute of the network for every segment: its name, unless that is taken.

    With `_` in front it is: Python and `nn.Module` have many such names.
    """
    names = list(segments)
    taken = TAKEN_ATTRIBUTES | set(names)
    found = {}
    for name in names:
        own = f"segment{name}" if name.startswith("_") else name
        free = own == name or own not in taken
        free = free and own not in TAKEN_ATTRIBUTES and not keyword.iskeyword(own)
        found[name] = own if free else unused(own, taken)
        taken = taken | {found[name]}
    return found
