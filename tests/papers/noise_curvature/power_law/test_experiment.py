"""The experiment at its smoke scale, and the pieces that only it has."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from feedrun.errors import BadInput
from feedrun.experiment import judge, silent_journal
from feedrun.models import mlp
from feedrun.papers.noise_curvature import theory
from feedrun.papers.noise_curvature.layer import float64, mlp_layer
from feedrun.papers.noise_curvature.power_law import by_loss, law
from feedrun.papers.noise_curvature.power_law.experiment import (
    EXPERIMENT,
    cosine_by_epoch,
    known_laws,
    trained,
)
from tests import configs

OF_CROSS_ENTROPY = {
    "interpolates",
    "superlinear_under_cross_entropy",
    "power_law_is_wide",
    "bends_at_the_stiff_end",
    "noise_is_not_fisher",
    "fisher_is_curvature",
    "exponent_is_finite_sample",
}
OF_SOFTMAX_MSE = {"fits_under_softmax_mse", "linear_under_softmax_mse"}
NOT_MEASURED = {
    "cross_entropy": OF_SOFTMAX_MSE | {"fits_under_logit_mse"},
    "softmax_mse": OF_CROSS_ENTROPY | {"fits_under_logit_mse", "sandwich"},
    "logit_mse": OF_CROSS_ENTROPY | OF_SOFTMAX_MSE,
}


OTHERS = [pytest.param(loss, marks=pytest.mark.slow) for loss in theory.LOSSES]


def config(scale="laptop", **changes):
    return configs.config("noise_power_law", scale, **changes)


@pytest.fixture(scope="module", params=["cross_entropy", *OTHERS[1:]])
def run(request):
    """(loss, result); of softmax_mse in the last layer, which has fewer weights than directions."""
    if request.param == "cross_entropy":
        return request.param, request.getfixturevalue("smoke")("noise_power_law").result
    cfg = config("smoke", loss=request.param)
    if request.param == "softmax_mse":
        measurement = cfg.measurement.model_dump() | {"directions": 1000}
        cfg = config("smoke", loss=request.param, layer=2, measurement=measurement)
    return request.param, EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())


def test_smoke_run_is_finite(run):
    for name, value in {**run[1].summary, **run[1].arrays}.items():
        assert np.isfinite(value).all(), name


def test_claims_about_other_losses_are_not_measured_and_all_others_are(run):
    loss, result = run
    verdicts = {c.name: judge(c, result.summary).verdict for c in EXPERIMENT.claims}
    missing = {name for name, verdict in verdicts.items() if verdict == "not measured"}
    assert missing == NOT_MEASURED[loss] | {"matches_supplement"}


def test_exact_claims_hold_at_any_scale(run):
    loss, result = run
    exact = [c for c in EXPERIMENT.claims if isinstance(result.summary.get(c.metric), float)]
    expected = {"cross_entropy": {"sandwich", "fisher_is_curvature"}, "logit_mse": {"sandwich"}}
    assert {c.name for c in exact} == expected.get(loss, set())
    assert all(judge(c, result.summary).verdict == "holds" for c in exact)


def test_only_the_papers_mse_shows_negative_curvature(run):
    loss, result = run
    assert (np.min(result.summary["negative_share"]) > 1e-3) == (loss == "softmax_mse")


def test_a_layer_with_fewer_weights_than_directions_is_measured_in_all_of_them(run):
    loss, result = run
    fitted = 100 if loss == "softmax_mse" else 40
    assert result.notes["directions_in_window"] == result.arrays["window"] == fitted
    assert result.arrays["interval_in_sample"].shape == (3, 2, 2)


def test_figures_draw(run, tmp_path):
    for stem, figure in EXPERIMENT.figures(run[1]).items():
        figure.savefig(tmp_path / f"{stem}.png", dpi=110)
        assert (tmp_path / f"{stem}.png").stat().st_size < 200_000


def test_law_is_drawn_over_the_directions_that_are_fitted(run):
    """Flat directions, ten decades below the stiffest, would squeeze all others into a corner."""
    for ax in EXPERIMENT.figures(run[1])["law"].axes:
        x = np.concatenate([np.asarray(line.get_xdata(), float) for line in ax.lines])
        assert x.min() > 1e-11 * x.max()


@pytest.mark.parametrize("scale", ["laptop", "gpu", "paper"])
def test_every_scale_is_a_valid_config(scale):
    assert config(scale).training == config("laptop").training


@pytest.mark.parametrize("subsets", [[100, 50], [100, 201]])
def test_subsets_that_do_not_fit_are_refused(subsets):
    measurement = config("smoke").measurement.model_dump() | {"subsets": subsets}
    with pytest.raises(ValidationError, match="half of the 400 samples"):
        config("smoke", measurement=measurement)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"layer": 0}, r"^layer 0 has 39,200 weights; 20 to 5,000 can be measured"),
        ({"layer": 2, "widths": [784, 50, 1, 10]}, r"^layer 2 has 10 weights; 20 to 5,000"),
        ({"layer": 3}, r"^layer must be below 3, the number of layers$"),
        (
            {"loss": "hinge"},
            r"^loss: input should be 'cross_entropy', 'softmax_mse' or 'lo",
        ),
    ],
)
def test_a_layer_or_loss_that_cannot_be_measured_is_refused_in_one_short_line(changes, line):
    with pytest.raises(BadInput, match=line) as refused:
        configs.request("noise_power_law", **changes)
    assert len(str(refused.value)) < 120


def test_supplement_is_set_against_its_own_network_and_loss_only():
    deep = by_loss.SUPPLEMENT_WIDTHS
    gap = by_loss.supplement_gap("cross_entropy", deep, 2, [1.3, 1.4])["supplement_gap"]
    np.testing.assert_allclose(gap, [0, 0.1], atol=1e-12)
    for loss, widths in (("softmax_mse", deep), ("cross_entropy", (784, 50, 50, 10))):
        assert by_loss.supplement_gap(loss, widths, 2, [1.3]) == {}


TABLE = yaml.safe_load((configs.CONFIGS / "sweep" / "noise_table.yaml").read_text())


def test_every_column_of_the_table_is_measured_under_every_loss(run):
    assert set(TABLE["table"]["show"]) <= set(run[1].summary)


@pytest.mark.parametrize("scale", ["laptop", "gpu", "paper"])
def test_every_cell_of_the_table_trains_the_supplements_network_for_the_papers_steps(scale):
    cells: list[Any] = [one.cfg for one in configs.swept("noise_table", scale)]
    assert {c.layer for c in cells} == set(by_loss.SUPPLEMENT)
    assert all(tuple(c.widths) == by_loss.SUPPLEMENT_WIDTHS for c in cells)
    assert {c.training.epochs * c.data.per_class for c in cells} == {100 * 2000}


def test_schedule_is_the_papers():
    """Spec 6.3: from 0.1, period 500 epochs, floor a hundredth: still 0.0905 at epoch 100."""
    lr = cosine_by_epoch(0.1, floor=0.01, per_epoch=20, period=500)
    np.testing.assert_allclose([lr(0), lr(19)], 0.1, rtol=1e-6)
    np.testing.assert_allclose(lr(100 * 20), 0.0905, atol=1e-4)
    np.testing.assert_allclose([lr(500 * 20), lr(900 * 20)], 0.001, rtol=1e-6)


@pytest.mark.parametrize("loss", theory.LOSSES)
def test_training_descends_the_loss_that_was_asked_for(loss):
    """One step with all samples in the batch is one step down the gradient of their mean loss."""
    widths, B = [784, 9, 8, 10], 40
    one_step = config("smoke").training.model_dump() | {"epochs": 1, "batch_size": B}
    cfg = config("smoke", loss=loss, widths=widths, repeats=1, training=one_step)
    _, x, y = _network(widths, B)
    x, y = np.asarray(x, np.float32), np.asarray(y, np.int32)
    model, init_key = mlp.mlp(widths), jax.random.split(jax.random.key(2))[0]
    start = model.init(jax.random.split(init_key, 1)[0])

    def mean_loss(params):
        logits = jax.vmap(lambda x: model.apply(params, x))(jnp.asarray(x))
        return jax.vmap(theory.LOSSES[loss].value)(logits, jnp.asarray(y)).mean()

    gradient = jax.grad(mean_loss)(start)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, start, gradient)
    after = trained(cfg, jax.random.key(2), x, y, silent_journal())
    found = jax.tree.map(lambda leaf: leaf[0], after)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-8)  # float32


@pytest.mark.parametrize("loss", theory.LOSSES)
def test_cross_fit_of_a_sample_with_itself_is_the_in_sample_fit(loss):
    """The two routes (matrices, projections) meet when both halves are the same samples."""
    widths, B = (784, 9, 8, 10), 40
    layer = mlp_layer(widths, layer=1, loss=theory.LOSSES[loss], chunk=16)
    params, x, y = _network(widths, B)
    a, _, _ = layer.activities(params, x, y)
    twice = (jnp.concatenate([a, a]), jnp.concatenate([y, y]))
    kap = jnp.abs(layer.spectra(params, twice)).max(-1)
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
    init_key, x_key, y_key = jax.random.split(jax.random.key(1), 3)
    x = jax.random.uniform(x_key, (B, widths[0]))
    return float64(mlp.mlp(widths).init(init_key)), x, jax.random.randint(y_key, (B,), 0, 10)
