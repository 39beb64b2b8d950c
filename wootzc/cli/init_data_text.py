"""What a file of `wootzc init` says about images: the `data` statement and comments before it."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from wootzc.cli.init_comments import aligned, comment, listed
from wootzc.cli.init_facts import Customary, Facts, Pixels

LEAST = 32  # pixels a side that any network of the zoo is worth making for
APART = {  # how a kind of data keeps training, validation and test apart
    "folder": "folders train/, val/ and test/ with the class folders in each",
    "zip": "folders train/, val/ and test/ with the class folders in each",
    "npz": "the arrays x_train y_train x_val y_val x_test y_test",
    "parquet": "train-….parquet, validation-….parquet and test-….parquet",
}


def data_text(facts: Facts) -> Iterator[str]:
    """The lines of a `data` statement, and comments with what is known of its images."""
    images = facts.images
    order = " in alphabetical order" if images.kind in ("folder", "zip") else ""
    yield from comment(
        f"{sum(images.images.values()):,} images, {len(images.classes):,} classes{order}: "
        f"{listed(images.classes)}."
    )
    for text in (_fitted(facts), other_classes(facts), other_names(facts), _split(facts)):
        yield from comment(text)
    if facts.model.weights:
        yield from _scaled(facts.model.pixels)
    kind = images.kind if images.kind in ("folder", "parquet") else ""
    path = f'{kind}("{facts.data}")' if kind else f'"{facts.data}"'
    settings = _normalization(facts.model.pixels)
    yield f"data {path} {{ {settings} }}" if settings else f"data {path}"


def other_classes(facts: Facts) -> str:
    """What to say where the last layer of the model is not as wide as there are classes."""
    classes, scores = len(facts.images.classes), facts.model.outputs
    if classes == scores:
        return ""
    told = f"The model gives {scores:,} scores, but the images have {classes:,} classes"
    if not facts.model.weights:
        return f"{told}: here it gives {classes:,}."
    return (
        f"{told}: so it gets a new last layer and is trained on, by `teacher`, before it "
        f"is pruned. Should there be {scores:,} classes, mend the images and run init again."
    )


def other_names(facts: Facts) -> str:
    """What to say where the file names its classes, and otherwise than the images."""
    named, seen = facts.model.classes, facts.images.classes
    nameless = seen == tuple(map(str, range(len(seen))))
    if len(named) != len(seen) or named == seen or nameless:
        return ""
    return (
        f"The model's file calls its classes {listed(named)}, the images {listed(seen)}. If they "
        "mean others, or in another order, the model's scores are wrong here."
    )


def _split(facts: Facts) -> str:
    images = facts.images
    train, validation, test = (images.images[p] for p in ("train", "validation", "test"))
    text = (
        f"{train:,} to train, {validation:,} to choose by (validation), {test:,} to judge by (test)"
    )
    drawn = [part for part in ("validation", "test") if part not in images.own]
    if not drawn:
        return f"{text}, as the data divides them."
    text += f"; {' and '.join(drawn)} drawn at random from the images to train."
    if not facts.model.weights:
        return text
    return (
        f"{text} If the model was trained on these, it looks better here than it is, and what is "
        f"pruned looks worse. Then give images apart that it has never seen: {APART[images.kind]} "
        "(docs/data.md)."
    )


def _fitted(facts: Facts) -> str:
    """What happens to image files of another size or other colours than the network wants."""
    height, width, channels = facts.images.shape
    wanted_height, wanted_width, wanted_channels = facts.model.network.input
    if not facts.images.fitted or facts.images.shape == facts.model.network.input:
        return ""
    smaller = height < wanted_height or width < wanted_width
    done = []
    if (height, width) != (wanted_height, wanted_width):
        done.append(
            f"{'enlarged' if smaller else 'scaled and cropped'} to {wanted_height}x{wanted_width}"
        )
    if channels != wanted_channels:
        done.append("made grey" if wanted_channels == 1 else f"given {wanted_channels} channels")
    text = f"They are {' and '.join(done)}; the first is {height}x{width}x{channels}."
    if facts.model.zoo is None or not smaller or min(height, width) < LEAST:
        return text
    over = f"{facts.model.zoo}(…, input = {height}x{width}x{wanted_channels})"
    return f"{text} The network could be made for such instead: `{over}`."


def _scaled(pixels: Pixels | Customary | None) -> Iterator[str]:
    match pixels:
        case None:
            yield from comment(
                "The model's file does not say how pixels are to be scaled: here to mean 0 and "
                "deviation 1, as measured on these images. If it was trained otherwise, write "
                "behind the path:"
            )
            yield from aligned(
                ("{ normalize imagenet }", "as torchvision's models of ImageNet"),
                ("{ mean(0.5); std(0.5) }", "from -1 to 1"),
                ("{ normalize off }", "from 0 to 1"),
            )
        case Pixels():
            yield from comment("Pixels are scaled as the model's file says.")
        case "imagenet" | "inception":
            yield from comment(
                "Pixels are scaled as usual for weights of ImageNet; others may want others."
            )
        case _:
            assert_never(pixels)


def _normalization(pixels: Pixels | Customary | None) -> str:
    match pixels:
        case None:
            return ""
        case "imagenet":
            return "normalize imagenet"
        case "inception":
            return "mean(0.5); std(0.5)"
        case Pixels(mean=mean, std=std):
            return f"mean({_numbers(mean)}); std({_numbers(std)})"
        case _:
            assert_never(pixels)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.7g}" for value in values)
