"""The experiment at its smoke scale, and the pieces that only it has."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pydantic import ValidationError

from feedrun.config import RUN_KEYS
from feedrun.experiment import judge, silent_journal
from feedrun.papers.noise_curvature import law
from feedrun.papers.noise_curvature.layer import cross_entropy_layer, float64
from feedrun.papers.noise_curvature.power_law import (
    EXPERIMENT,
    PowerLaw,
    cosine_by_epoch,
    known_laws,
)

CONFIGS = Path(__file__).parents[3] / "configs"


def config(scale, **changes):
    with initialize_config_dir(str(CONFIGS), version_base=None):
        composed = compose("config", [f"scale={scale}", "experiment=noise_power_law"])
    plain = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(plain, dict)
    return PowerLaw.model_validate({k: v for k, v in plain.items() if k not in RUN_KEYS} | changes)


@pytest.fixture(scope="module")
def result():
    return EXPERIMENT.run(config("smoke"), jax.random.key(0), silent_journal())


def test_smoke_run_is_finite(result):
    for name, value in {**result.summary, **result.arrays}.items():
        assert np.isfinite(value).all(), name


def test_every_claim_is_measured(result):
    for claim in EXPERIMENT.claims:
        assert judge(claim, result.summary).verdict != "not measured", claim.name


def test_exact_claims_hold_at_any_scale(result):
    exact = [c for c in EXPERIMENT.claims if isinstance(result.summary[c.metric], float)]
    assert {c.name for c in exact} == {"sandwich", "fisher_is_curvature"}
    assert all(judge(c, result.summary).verdict == "holds" for c in exact)


def test_figures_draw(result, tmp_path):
    for stem, figure in EXPERIMENT.figures(result).items():
        figure.savefig(tmp_path / f"{stem}.png", dpi=110)
        assert (tmp_path / f"{stem}.png").stat().st_size < 200_000


@pytest.mark.parametrize("scale", ["laptop", "gpu", "paper"])
def test_every_scale_is_a_valid_config(scale):
    assert config(scale).training == config("laptop").training


@pytest.mark.parametrize("subsets", [[100, 50], [100, 201]])
def test_subsets_that_do_not_fit_are_refused(subsets):
    measurement = config("smoke").measurement.model_dump() | {"subsets": subsets}
    with pytest.raises(ValidationError, match="half of the 400 samples"):
        config("smoke", measurement=measurement)


def test_schedule_is_the_papers():
    """Spec 6.3: from 0.1, period 500 epochs, floor a hundredth: still 0.0905 at epoch 100."""
    lr = cosine_by_epoch(0.1, floor=0.01, per_epoch=20, period=500)
    np.testing.assert_allclose([lr(0), lr(19)], 0.1, rtol=1e-6)
    np.testing.assert_allclose(lr(100 * 20), 0.0905, atol=1e-4)
    np.testing.assert_allclose([lr(500 * 20), lr(900 * 20)], 0.001, rtol=1e-6)


def test_cross_fit_of_a_sample_with_itself_is_the_in_sample_fit():
    """The two routes (matrices, projections) meet when both halves are the same samples."""
    widths, B = (784, 9, 8, 10), 40
    layer = cross_entropy_layer(widths, layer=1, chunk=16)
    params, x, y = _network(widths, B)
    a, _, _ = layer.activities(params, x, y)
    twice = (jnp.concatenate([a, a]), jnp.concatenate([y, y]))
    kap = layer.curvatures(params, twice)
    order = jnp.arange(2 * B)
    r = law.rung(
        jax.random.key(3), layer, params, twice, kap, order, size=B, window=20, replicates=20
    )
    np.testing.assert_allclose(r.outside[0], r.inside[0], rtol=1e-6)
    np.testing.assert_allclose(r.outside[1], r.inside[1], rtol=1e-6)


@pytest.mark.slow
def test_controls_hold_at_full_size():
    summary, _ = known_laws(config("laptop"), jax.random.key(0))
    known = [c for c in EXPERIMENT.claims if c.name.startswith("control")]
    assert len(known) == 7
    assert {c.name: judge(c, summary).verdict for c in known} == {c.name: "holds" for c in known}


def _network(widths, B):
    from feedrun.models import mlp

    init_key, x_key, y_key = jax.random.split(jax.random.key(1), 3)
    x = jax.random.uniform(x_key, (B, widths[0]))
    return float64(mlp.mlp(widths).init(init_key)), x, jax.random.randint(y_key, (B,), 0, 10)
