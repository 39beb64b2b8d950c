"""Which filters go first, by hand-made kernels."""

import numpy as np
import pytest

from wootzc.backends.weights.importance import kept_filters, scores
from wootzc.backends.weights.parameters import Weights
from wootzc.diagnostics import WootzError
from wootzc.ir.layers import Activation, Body, Branch, Conv, DepthwiseConv, Norm
from wootzc.ir.net.coupling import couple
from wootzc.ir.net.norm_after import norm_after
from wootzc.ir.space import Criterion

SHAPE = (4, 4, 1)
CHAIN: Body = (Conv(width=4, kernel=(1, 2)), Norm(), Activation(), Conv(width=2, kernel=(1, 1)))
FILTERS = np.array([[3, 0], [1, 1], [2, 2], [0, 1]], np.float32)  # [filter, values]


def chain_weights() -> Weights:
    return {
        "0/kernel": FILTERS.T.reshape(1, 2, 1, 4),
        "1/scale": np.array([0.1, -0.9, 0.5, 0.2], np.float32),
        "3/kernel": np.ones((1, 1, 4, 2), np.float32),
    }


def kept(criterion: Criterion, rate: float) -> list[int]:
    """What stays of the group that the first convolution makes."""
    coupling = couple(CHAIN, SHAPE)
    number = coupling.outputs["0"][0]
    indices = kept_filters(CHAIN, coupling, chain_weights(), rate, criterion, "m")[number]
    return [int(i) for i in indices]


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("l1", [3, 2, 4, 1]),
        ("l2", [3, 2**0.5, 8**0.5, 1]),
        ("bn_scale", [0.1, 0.9, 0.5, 0.2]),
        (
            "geometric_median",
            [
                5**0.5 + 5**0.5 + 10**0.5,
                5**0.5 + 2**0.5 + 1,
                5**0.5 + 2**0.5 + 5**0.5,
                10**0.5 + 1 + 5**0.5,
            ],
        ),
    ],
)
def test_scores(criterion: Criterion, expected: list[float]) -> None:
    coupling = couple(CHAIN, SHAPE)
    number = coupling.outputs["0"][0]
    got = scores(CHAIN, coupling, number, chain_weights(), criterion, "m")
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_the_least_goes_first() -> None:
    assert kept("l1", 0.25) == [0, 1, 2]
    assert kept("l1", 0.5) == [0, 2]
    assert kept("l1", 0.75) == [2]
    assert kept("bn_scale", 0.5) == [1, 2]
    assert kept("geometric_median", 0.25) == [0, 2, 3]


def test_whole_groups_keep_everything() -> None:
    coupling = couple(CHAIN, SHAPE)
    everything = kept_filters(CHAIN, coupling, chain_weights(), 0.75, "l1", "m")
    assert list(everything[coupling.outputs["3"][0]]) == [0, 1]
    assert list(everything[coupling.inputs["0"][0]]) == [0]


def test_of_equal_filters_the_later_goes() -> None:
    weights = chain_weights() | {"0/kernel": np.ones((1, 2, 1, 4), np.float32)}
    coupling = couple(CHAIN, SHAPE)
    number = coupling.outputs["0"][0]
    assert list(kept_filters(CHAIN, coupling, weights, 0.5, "l1", "m")[number]) == [0, 1]


def test_random_goes_by_the_modules_name() -> None:
    coupling = couple(CHAIN, SHAPE)
    number = coupling.outputs["0"][0]
    one, again, other = (
        scores(CHAIN, coupling, number, {}, "random", name) for name in ("m1", "m1", "m2")
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_random_goes_by_the_seed() -> None:
    coupling = couple(CHAIN, SHAPE)
    number = coupling.outputs["0"][0]
    drawn = {
        seed: tuple(
            kept_filters(CHAIN, coupling, {}, 0.5, "random", "m1", seed=seed)[number].tolist()
        )
        for seed in range(8)
    }
    assert len(set(drawn.values())) > 1
    for seed in range(8):
        again = scores(CHAIN, coupling, number, {}, "random", "m1", seed=seed)
        assert tuple(sorted(np.argsort(-again)[:2])) == drawn[seed]
    assert not np.array_equal(
        scores(CHAIN, coupling, number, {}, "random", "m1"),
        scores(CHAIN, coupling, number, {}, "random", "m1", seed=7),
    )


def test_coupled_filters_are_judged_together() -> None:
    body: Body = (
        Branch(join="add", arms=((Conv(width=3, kernel=(1, 1)),), (Conv(width=3, kernel=(1, 1)),))),
        Conv(width=1, kernel=(1, 1)),
    )
    coupling = couple(body, SHAPE)
    weights = {
        "0.0.0/kernel": np.array([5, 1, 2], np.float32).reshape(1, 1, 1, 3),
        "0.1.0/kernel": np.array([-1, 4, 2], np.float32).reshape(1, 1, 1, 3),
    }
    number = coupling.outputs["0"][0]
    np.testing.assert_allclose(scores(body, coupling, number, weights, "l1", "m"), [6, 5, 4])
    np.testing.assert_allclose(scores(body, coupling, number, weights, "l2", "m"), [6, 5, 4])


def test_every_part_of_a_grouped_convolution_loses_as_many() -> None:
    body: Body = (Conv(width=6, kernel=(1, 1)), Conv(width=2, groups=2))
    coupling = couple(body, SHAPE)
    weights = {"0/kernel": np.array([6, 5, 4, 3, 2, 1], np.float32).reshape(1, 1, 1, 6)}
    number = coupling.outputs["0"][0]
    assert list(kept_filters(body, coupling, weights, 0.34, "l1", "m")[number]) == [0, 1, 3, 4]


def test_bn_scale_reads_the_part_of_a_norm_after_concat() -> None:
    body: Body = (
        Branch(join="concat", arms=((Conv(width=2),), (Conv(width=3),))),
        Norm(),
        Conv(width=1),
    )
    coupling = couple(body, SHAPE)
    weights = {"1/scale": np.array([1, 2, 3, -4, 5], np.float32)}
    number = coupling.outputs["0.1.0"][0]
    np.testing.assert_allclose(scores(body, coupling, number, weights, "bn_scale", "m"), [3, 4, 5])


def test_bn_scale_without_a_norm_says_which_layer() -> None:
    body: Body = (Conv(width=4), Activation(), Conv(width=1))
    with pytest.raises(WootzError, match="layer 0 in module m7") as caught:
        kept_filters(body, couple(body, SHAPE), {}, 0.5, "bn_scale", "m7")
    assert caught.value.diagnostics[0].code == "WZ124"


ONE = (1, 1)
RESIDUAL: Body = (Branch(join="add", arms=((Conv(width=2),), ())),)


def test_bn_scale_takes_no_norm_of_another_arm() -> None:
    arms = ((Conv(width=3, kernel=ONE),), (Conv(width=3, kernel=ONE), Norm()))
    body: Body = (Branch(join="add", arms=arms), Norm(), Conv(width=1))
    coupling = couple(body, SHAPE)
    weights = {
        "0.1.1/scale": np.array([1, 2, 3], np.float32),
        "1/scale": np.array([10, 20, -30], np.float32),
    }
    number = coupling.outputs["0"][0]
    got = scores(body, coupling, number, weights, "bn_scale", "m")
    np.testing.assert_allclose(got, [11, 22, 33])

    bare: Body = (body[0], Activation(), Conv(width=1))
    with pytest.raises(WootzError, match=r"layer 0\.0\.0 in module m"):
        scores(bare, couple(bare, SHAPE), number, weights, "bn_scale", "m")


@pytest.mark.parametrize(
    ("body", "maker", "norm"),
    [
        (CHAIN, "0", "1"),
        (CHAIN, "3", None),
        ((Conv(width=2), Conv(width=2), Norm()), "0", None),  # the norm is the second one's
        ((Conv(width=2), DepthwiseConv(), Activation(), Norm()), "0", "3"),
        ((Conv(width=2), Branch(join="add", arms=((Norm(),), ()))), "0", "1.0.0"),
        ((Conv(width=2), Branch(join="add", arms=((Conv(width=2), Norm()), ())), Norm()), "0", "2"),
        ((Conv(width=2), Branch(join="add", arms=((Conv(width=2),),) * 2), Norm()), "0", None),
        ((Branch(join="add", arms=(RESIDUAL, ())), Norm()), "0.0.0.0.0", "1"),
    ],
)  # fmt: skip
def test_the_norm_that_follows_a_layer(body: Body, maker: str, norm: str | None) -> None:
    assert norm_after(body, maker) == norm
