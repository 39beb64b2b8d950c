"""Images and labels: `.npz`, folders, `.zip` and parquet to normalised batches. No JAX here."""

from wootzc.backends.data.dataset import Batch, Dataset, Split, check_fits
from wootzc.backends.data.images import spread
from wootzc.backends.data.loading import load
from wootzc.backends.data.scales import rescaled
from wootzc.backends.data.survey import Survey, check_data, count_images, count_parts, survey

__all__ = [
    "Batch",
    "Dataset",
    "Split",
    "Survey",
    "check_data",
    "check_fits",
    "count_images",
    "count_parts",
    "load",
    "rescaled",
    "spread",
    "survey",
]
