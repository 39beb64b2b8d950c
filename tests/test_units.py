"""Numbers for people, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.units import bytes_of, bytes_text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("2048", 2048),
        ("500M", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        ("3kB", 3_000),
        ("2T", 2 * 10**12),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "4 GiB", "1e9", "4G 4G", "much"])
def test_other_texts_are_no_sizes(text: str) -> None:
    with pytest.raises(ValueError):
        bytes_of(text)


@given(st.integers(1_000, 10**12))
def test_what_is_written_can_be_read(size: int) -> None:
    assert bytes_of(bytes_text(size)) == pytest.approx(size, rel=0.06)
