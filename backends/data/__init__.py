"""Images and labels: `.npz`, folders, `.zip` and parquet to normalised batches. No JAX here."""

from wootzc.backends.data.counting import count_images
from wootzc.backends.data.dataset import Batch, Dataset, Split, check_fits
from wootzc.backends.data.loading import load

__all__ = ["Batch", "Dataset", "Split", "check_fits", "count_images", "load"]
