"""The size of what enters: from `input` fields, an Input layer, or the crop of a data layer."""

from collections.abc import Sequence

from wootzc.grammar.imports.prototxt.entries import Entry
from wootzc.grammar.imports.prototxt.fields import Fields, as_message
from wootzc.grammar.imports.prototxt.text_format import Place
from wootzc.ir.graph import OpenSize
from wootzc.ir.layers.shapes import Shape, shape_text

DATA = ("Data", "ImageData", "HDF5Data", "MemoryData", "WindowData", "AnnotatedData", "Python")


def input_shape(
    blob: str, net: Fields, sources: Sequence[Entry], given: Shape | None
) -> tuple[Shape, tuple[str, ...]]:
    """The shape of a blob that enters, and notes. What the user gives goes before the file."""
    source = next((s for s in sources if blob in s.tops), None)
    written, notes = _written(blob, net) if source is None else _of_source(blob, source)
    place = net.place if source is None else source.fields.place
    if given is not None:
        if written is None or written == given:
            return given, ()
        return given, (f"the input is {shape_text(given)} here, {shape_text(written)} in the file",)
    if written is None:
        refused = place.refuse(f"the file does not say how large its input `{blob}` is")
        raise OpenSize(
            refused.message, 'say it: network NAME from "….prototxt" { input(224x224x3) }'
        )
    return written, notes


def _written(blob: str, net: Fields) -> tuple[Shape | None, tuple[str, ...]]:
    """What `input_shape` or `input_dim` say of an `input`."""
    at = net.texts("input").index(blob)
    shapes = net.all("input_shape")
    if at < len(shapes):
        shape = as_message(shapes[at])
        return _shape(shape.wholes("dim", least=0), shape.place), ()
    dims = net.wholes("input_dim", least=0)[4 * at : 4 * at + 4]
    return (_shape(dims, net.all("input_dim")[4 * at].place) if dims else None), ()


def _of_source(blob: str, source: Entry) -> tuple[Shape | None, tuple[str, ...]]:
    fields = source.fields
    match source.type:
        case "Input":
            return _listed(source.tops.index(blob), fields.message_of("input_param")), ()
        case "DummyData":
            return _listed(source.tops.index(blob), fields.message_of("dummy_data_param")), ()
        case "MemoryData":
            memory = fields.message_of("memory_data_param")
            size = tuple(memory.whole(name) for name in ("height", "width", "channels"))
            return size, ()
        case kind if kind in DATA:
            return _cropped(source)
        case _:
            raise source.refuse(
                f"is of type {source.type} and reads nothing, but is no input wootzc knows",
                'write `layer { type: "Input" … }`',
            )


def _listed(at: int, parameters: Fields) -> Shape | None:
    """The shape for top number `at`; one shape stands for all."""
    shapes = parameters.all("shape")
    if shapes:
        shape = as_message(shapes[min(at, len(shapes) - 1)])
        return _shape(shape.wholes("dim", least=0), shape.place)
    sizes = [parameters.wholes(name) for name in ("num", "channels", "height", "width")]
    if not all(sizes):
        return None
    return _shape([values[min(at, len(values) - 1)] for values in sizes], parameters.place)


def _cropped(source: Entry) -> tuple[Shape | None, tuple[str, ...]]:
    """Images that are cropped, or scaled, to one size. Their channels no file says."""
    transform = source.fields.message_of("transform_param")
    images = source.fields.message_of("image_data_param")
    older = source.fields.message_of("data_param")
    crop = next(
        (p.whole("crop_size", least=0) for p in (transform, older, images) if p.has("crop_size")), 0
    )
    tall, wide = images.whole("new_height", 0, least=0), images.whole("new_width", 0, least=0)
    size = (crop, crop) if crop else (tall, wide)
    if 0 in size:
        return None, ()
    grey = transform.flag("force_gray", False) or not images.flag("is_color", True)
    channels = 1 if grey else 3
    note = f"`{source.name}` does not say how many channels its images have: {channels} here"
    return (*size, channels), (note,)


def _shape(dims: Sequence[int], place: Place) -> Shape | None:
    """Batch, channels, height, width → height, width, channels. None: left open by a 0."""
    match tuple(dims):
        case (_, channels, height, width):
            shape: Shape = (height, width, channels)
        case (_, channels):
            shape = (channels,)
        case _:
            raise place.refuse(
                f"the input has {len(dims)} dimensions",
                "write batch, channels, height and width: 1 3 224 224",
            )
    return None if 0 in shape else shape
