"""slay_speed: its measures against planted laws, its layer against one device, its smoke run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.experiment import judge
from feedrun.maths.attention import blocked_softmax_attention, softmax_attention
from feedrun.papers.slay.speed import fidelity, measures
from feedrun.papers.slay.speed import layer as speed_layer
from feedrun.papers.slay.speed.experiment import EXPERIMENT, Speed
from tests.configs import config

pytestmark = pytest.mark.slow  # what it compiles takes a minute where nothing is cached

LENGTHS = np.array([512.0, 1024, 2048, 4096, 8192])


def test_slope_is_the_planted_exponent_where_it_is_asked_for():
    values = np.where(LENGTHS < 2048, 7.0, 3 * LENGTHS**1.25)
    assert np.isclose(measures.slope(LENGTHS, values, least=2048.0) or 0, 1.25)
    assert measures.slope(LENGTHS, np.where(LENGTHS > 1024, np.nan, 1.0)) is None


def test_crossover_is_where_two_power_laws_meet():
    ours, theirs = 30 * LENGTHS, LENGTHS**2 / 100  # equal at 3000
    assert np.isclose(measures.crossover(LENGTHS, ours, theirs) or 0, 3000)
    theirs[-1] = np.nan  # ours goes on where theirs has ended
    assert np.isclose(measures.crossover(LENGTHS, ours, theirs) or 0, 3000)


def test_crossover_is_censored_at_the_shortest_length_and_absent_beyond_the_longest():
    assert np.isclose(measures.crossover(LENGTHS, LENGTHS, 2 * LENGTHS) or 0, 512)
    assert measures.crossover(LENGTHS, 2 * LENGTHS, LENGTHS) is None
    assert measures.crossover(LENGTHS, LENGTHS, np.nan * LENGTHS) is None


def test_memory_grows_and_ends_as_planted():
    values = np.append(1e6 + 6 * LENGTHS[:-1], np.nan)
    assert np.isclose(measures.more_a_token(LENGTHS, values) or 0, 6)
    quadratic = 4 * LENGTHS**2
    assert np.isclose(measures.longest(LENGTHS, quadratic, 4e12) or 0, 1e6)


@pytest.mark.parametrize("causal", [True, False])
def test_blocked_softmax_and_its_gradient_equal_the_whole(causal):
    q, k, v = (jax.random.normal(key, (11, 4)) for key in jax.random.split(jax.random.key(0), 3))

    def loss(attend, *qkv, **how):
        return jnp.sin(attend(*qkv, causal=causal, **how)).sum()

    ours = jax.grad(lambda *qkv: loss(blocked_softmax_attention, *qkv, block=4), (0, 1, 2))
    whole = jax.grad(lambda *qkv: loss(softmax_attention, *qkv), (0, 1, 2))
    for a, b in zip(jax.jit(ours)(q[3:], k, v), jax.jit(whole)(q[3:], k, v), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def compiled(name, layer, *, gradient=False):
    drawn = speed_layer.drawn_heads(jax.random.key(1), name, heads=2, dimension=4)
    return speed_layer.compiled(name, drawn, layer, causal=True, gradient=gradient)


@pytest.mark.parametrize("name", ["softmax", "softmax_library", "softmax_blocked"])
def test_the_layer_is_projections_around_attention(name):
    layer = speed_layer.draw(jax.random.key(0), length=9, heads=2, dimension=4)
    program = compiled(name, layer)
    expected = np.zeros((9, 8))
    for qkv, out in zip(*map(np.asarray, layer[1:]), strict=True):
        q, k, v = np.einsum("tw,wjd->jtd", np.asarray(layer.x), qkv)
        weights = np.tril(np.exp(q @ k.T / 2))
        expected += weights @ v / weights.sum(1, keepdims=True) @ out
    rtol = 1e-6 if name == "softmax_library" else 1e-10  # it takes its softmax in float32
    np.testing.assert_allclose(program.call(), expected, rtol=rtol, atol=rtol)
    assert program.temporary > 0


def test_the_gradient_that_is_timed_is_that_of_the_layer():
    layer = speed_layer.draw(jax.random.key(0), length=9, heads=2, dimension=4)
    whole, once = (compiled("hybrid", layer, gradient=gradient) for gradient in (True, False))
    value, gradients = whole.call()
    np.testing.assert_allclose(value, jnp.sin(once.call()).sum(), rtol=1e-10)
    towards = jax.tree.map(
        lambda x: jnp.cos(jnp.arange(x.size, dtype=x.dtype)).reshape(x.shape), layer
    )

    def at(step):
        moved = jax.tree.map(lambda x, u: x + step * u, layer, towards)
        return float(jnp.sin(compiled("hybrid", moved).call()).sum())

    slope = sum(float((g * u).sum()) for g, u in zip(gradients, towards, strict=True))
    np.testing.assert_allclose((at(1e-6) - at(-1e-6)) / 2e-6, slope, rtol=1e-6)


def test_correlated_keys_have_the_stated_memory_and_queries_lie_near_them():
    q, k, _ = fidelity.data(jax.random.key(0), "correlated", 4000, 8)
    neighbours = np.corrcoef(k[:-1].ravel(), k[1:].ravel())[0, 1]
    assert abs(neighbours - 0.9) < 0.01
    assert abs(float((q - k).std()) - 0.5) < 0.01 and abs(float(k.std()) - 1) < 0.05


def test_states_are_counted_with_the_recent_keys():
    sums, whole = fidelity.state_numbers("window_square", 64)
    assert sums == 2048 * 65 and whole == sums + 2 * 128 * (64 + 65)
    sums, whole = fidelity.state_numbers("slay_2048", 64)
    assert sums == 2048 * 65 and whole == sums + 64 + 65


def test_a_smoke_run_measures_what_it_has_lengths_for(smoke):
    result = smoke("slay_speed").result
    verdicts = {claim.name: judge(claim, result.summary).verdict for claim in EXPERIMENT.claims}
    assert verdicts["chunks_are_exact"] == verdicts["no_leak"] == "holds"
    assert verdicts["slay_is_linear"] == "not measured"  # no length is long enough
    assert "slay_crosses_softmax" in result.summary or "slay_slope" not in result.summary
    assert result.arrays["forward_seconds"].shape == (3, 3, 2)
    assert len(result.notes["load_by_others_a_round"]) == 3


def test_a_quadratic_mechanism_ends_before_it_takes_too_long():
    cfg = config("slay_speed", "smoke", seconds=1e-9)
    found, temporary, _ = _programs(cfg)
    assert set(found) == {(0, 0), (1, 0), (2, 0)} and np.isnan(temporary[:, 1]).all()


def _programs(cfg):
    from feedrun.papers.slay.speed import experiment as speed

    return speed.programs(cfg.forward, jax.random.key(0), cfg)


def test_lengths_must_ascend():
    series = config("slay_speed", "smoke").forward.model_dump() | {"lengths": [128, 64]}
    with pytest.raises(ValueError, match=r"must ascend, got \[128, 64\]"):
        Speed.model_validate(config("slay_speed", "smoke").model_dump() | {"forward": series})
