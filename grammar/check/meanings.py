"""What the statements of a space and their settings do, in a line each.

Hover and completion show them; the tables of docs/language.md are held to them by a test. What a
value may be and what it is where nothing is said stands where it is read.
"""

from collections.abc import Mapping

STATEMENTS: Mapping[str, str] = {
    "data": "where the images come from",
    "augment": "how training images are changed at random",
    "teacher": "how the full network is trained, or the file it is read from",
    "pretrain": "how pruned pieces learn to imitate the teacher",
    "finetune": "how an assembled candidate is trained",
    "polish": "how the winner is trained on in the end; `off` leaves it as fine-tuning made it",
    "rates": "fractions of filters that may be removed from a module",
    "prune": "modules that are pruned, by which criterion and with which rates of their own",
    "keep": "modules, or kinds of layers, that stay whole",
    "multiple": "what is left of a layer's filters is a multiple of this",
    "tie": "modules that share one rate",
    "where": "a relation or a limit of costs that candidates fulfil",
    "all": "every candidate",
    "sample": "so many distinct candidates, drawn at random",
    "configs": "candidates one by one: a rate for each module, in the network's order",
    "propose": "so many candidates of those that promise most by their scores",
    "minimize": "the figure that is to be as small as can be",
    "maximize": "the figure that is to be as great as can be",
    "subject": "a limit that the result holds",
    "blocks": "which pieces are trained as one",
    "explore": "in which order candidates are tried",
    "certify": "go on until every better candidate is tried or ruled out at this confidence",
    "until": "end when a whole fine-tuning more is expected to save less than this",
    "budget": "end early, with the best that was found",
    "latency": "what latency is measured on",
    "precision": "what activations and gradients are computed in",
    "seed": "of everything that is drawn at random",
}
SETTINGS: Mapping[str, str] = {
    "epochs": "passes over the training images",
    "steps": "training steps, in the place of epochs",
    "batch": "images per step, over all devices",
    "optimizer": "by its optax name, with the learning rate first",
    "schedule": "how the learning rate changes",
    "weight_decay": "of kernels",
    "clip": "largest global norm of a gradient",
    "label_smoothing": "what labels give of their weight to the other classes",
    "every": "steps between two looks at the validation images",
    "patience": "looks without a better accuracy before training stops",
    "distill": "weight of the teacher's soft targets, 0 to 1",
    "temperature": "that softens both sides",
    "reconstruct": "training images on which least squares refits what follows the filters removed",
    "validation": "part of the training images that the search measures accuracy on",
    "test": "part for the final figure, where the data has no test part of its own",
    "limit": "use so many of the training images, spread over the classes",
    "normalize": "to mean 0 and deviation 1 per channel",
    "mean": "subtract this of pixels from 0 to 1, one number or one per channel",
    "std": "divide by this, one number or one per channel",
    "stream": "read images from disk while training instead of holding them all in memory",
    "flip": "mirror half of the training images",
    "threads": "of onnxruntime",
    "provider": "what onnxruntime runs networks on",
    "crop": "shift training images by up to so many pixels",
}
