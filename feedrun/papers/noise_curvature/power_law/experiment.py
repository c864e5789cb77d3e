"""Does SGD noise follow curvature superlinearly, C_ii ~ H_ii^gamma with 1 < gamma < 2, and why?

Paper: arXiv 2602.05600, the fully connected MNIST network (Fig. 1, Fig. 3, Table 1), trained with
one of its losses; one layer is then measured exactly over all training samples. Beside the paper's
fit stand the cross-fit (eigenbasis from one half of the samples, diagonals from the other), the
dependence on the number of measured samples, and samples whose law is known.

    feedrun experiment=noise_power_law            two cores: see `minutes` in its yaml

To be seen: C proportional to E[h^2], an exponent between 1 and 2 in-sample, and how much of what
exceeds 1 is left when the samples that choose the directions are not those that are measured.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from pydantic import Field, model_validator

from feedrun import train
from feedrun.experiment import (
    Config,
    Count,
    Elsewhere,
    Experiment,
    Journal,
    Positive,
    Result,
    claims_beside,
)
from feedrun.maths import spectra
from feedrun.models import mlp
from feedrun.papers.noise_curvature import controls, theory
from feedrun.papers.noise_curvature.layer import Layer, float64, mlp_layer
from feedrun.papers.noise_curvature.power_law import by_loss, law
from feedrun.papers.noise_curvature.power_law.figures import figures
from feedrun.tasks import images

SQUARE = 28 * 28

MOST_WEIGHTS = 5000
"""Of a layer: a dozen dense float64 matrices of that side are held, 200 MB each."""

FEWEST_WEIGHTS = 20
"""Of a layer: fewer points make no fit."""


class Data(Config):
    """Which images, and how many of them."""

    name: Literal["mnist_5k", "mnist", "fashion_mnist"]
    classes: Annotated[int, Field(ge=2, le=10)]
    per_class: Count
    folder: Annotated[str, Elsewhere]
    fetch: Annotated[bool, Elsewhere]


class Training(Config):
    """SGD as in the paper's code: cosine by epoch, gradient norm clipped."""

    batch_size: Count
    epochs: Count
    lr: Positive
    period_epochs: Count
    floor: Annotated[float, Field(ge=0, le=1)]
    clip: Positive
    log_every: Count


class Measurement(Config):
    """How a trained layer is measured."""

    directions: Annotated[int, Field(ge=20)]
    subsets: Annotated[list[Count], Field(min_length=2)]
    splits: Count
    replicates: Annotated[int, Field(ge=20)]
    shown: Count
    chunk: Count


class Controls(Config):
    """Sizes of the samples whose law is known."""

    planted: Count
    softmax: Count
    dependent: Count
    draws: Count
    independent: Annotated[list[Count], Field(min_length=1)]
    sigmas: Annotated[list[Positive], Field(min_length=1)]


class PowerLaw(Config):
    """The whole experiment."""

    data: Data
    widths: Annotated[list[Count], Field(min_length=3)]
    loss: Literal["cross_entropy", "softmax_mse", "logit_mse"]
    layer: Annotated[int, Field(ge=0)]
    repeats: Count
    training: Training
    measurement: Measurement
    controls: Controls

    @model_validator(mode="after")
    def _fits_together(self):
        samples, m = self.data.per_class * self.data.classes, self.measurement
        if self.widths[0] != SQUARE or self.widths[-1] < self.data.classes:
            raise ValueError(f"widths must run from {SQUARE} pixels to {self.data.classes} or more")
        if self.layer > len(self.widths) - 2:
            raise ValueError(f"layer must be below {len(self.widths) - 1}, the number of layers")
        if m.subsets != sorted(set(m.subsets)) or 2 * m.subsets[-1] > samples:
            raise ValueError(f"subsets must rise to at most half of the {samples} samples")
        if not FEWEST_WEIGHTS <= self.weights <= MOST_WEIGHTS:
            raise ValueError(
                f"layer {self.layer} has {self.weights:,} weights; {FEWEST_WEIGHTS} to "
                f"{MOST_WEIGHTS:,} can be measured, as dense matrices with a row for each weight"
            )
        return self

    @property
    def weights(self) -> int:
        """How many weights the measured layer has."""
        return self.widths[self.layer] * self.widths[self.layer + 1]

    @property
    def window(self) -> int:
        """How many directions are fitted: as many as asked for, at most one for each weight."""
        return min(self.measurement.directions, self.weights)


def run(cfg: PowerLaw, key, journal: Journal) -> Result:
    """Train the repeats side by side, then measure one after the other."""
    data_key, train_key, basis_key, law_key, control_key = jax.random.split(key, 5)
    everything = images.load(cfg.data.name, folder=cfg.data.folder, fetch=cfg.data.fetch)
    chosen = images.subset(
        everything, data_key, per_class=cfg.data.per_class, classes=cfg.data.classes
    )
    x = (chosen.x.reshape(-1, SQUARE) / 255).astype(np.float32)
    fitted = trained(cfg, train_key, x, chosen.y, journal.scope("train"))

    known = known_laws(cfg, control_key)
    loss, m = theory.LOSSES[cfg.loss], cfg.measurement
    layer = mlp_layer(cfg.widths, layer=cfg.layer, loss=loss, chunk=m.chunk)
    Q = spectra.haar_rotation(basis_key, cfg.weights, dtype=jnp.float64)
    measured, tick = [], _ticker(journal.scope("measure"), cfg)
    for r, repeat_key in enumerate(jax.random.split(law_key, cfg.repeats)):
        params = float64(jax.tree.map(lambda leaf: leaf[r], fitted))
        measured.append(_measured(cfg, repeat_key, layer, params, (x, chosen.y), Q, tick))
    metrics, arrays = (_stacked(part) for part in zip(*measured, strict=True))
    summary = {k: v.tolist() for k, v in metrics.items()} | known[0]
    worst = {"sandwich_slack": np.min, "fisher_error": np.max}
    summary |= {k: float(of(metrics[k])) for k, of in worst.items() if k in metrics}
    notes = {"data": chosen.notes, "weights_in_layer": cfg.weights}
    notes |= {"directions_asked_for": m.directions, "directions_in_window": cfg.window}
    gammas = summary["gamma_emp_layerwise"]
    summary |= by_loss.of_one_loss(cfg.loss, summary)
    summary |= by_loss.supplement_gap(cfg.loss, cfg.widths, cfg.layer, gammas)
    return Result(summary, arrays | known[1] | _axes(cfg), notes)


def trained(cfg: PowerLaw, key, x: np.ndarray, y: np.ndarray, journal: Journal) -> Any:
    """Params of all repeats (leading axis) after training in float32, on the host."""
    t, model, of_sample = cfg.training, mlp.mlp(cfg.widths), theory.LOSSES[cfg.loss].value
    init_key, fit_key = jax.random.split(key)
    per_epoch = len(x) // t.batch_size
    lr = cosine_by_epoch(t.lr, floor=t.floor, per_epoch=per_epoch, period=t.period_epochs)

    def loss(params, batch, key):
        x, y = batch
        logits = jax.vmap(lambda x: model.apply(params, x))(x)
        return jax.vmap(of_sample)(logits, y).mean(), {
            "accuracy": (logits.argmax(-1) == y).mean(dtype=x.dtype)
        }

    params = train.fit(
        jax.random.split(fit_key, cfg.repeats),
        jax.vmap(model.init)(jax.random.split(init_key, cfg.repeats)),
        loss,
        train.shuffled((jnp.asarray(x), jnp.asarray(y)), t.batch_size),
        optax.chain(optax.clip_by_global_norm(t.clip), optax.sgd(lr)),
        steps=t.epochs * per_epoch,
        log_every=t.log_every,
        journal=journal,
        repeats=cfg.repeats,
    )
    return jax.device_get(params)


def cosine_by_epoch(lr: float, *, floor: float, per_epoch: int, period: int) -> Callable:
    """The paper's schedule: from lr to floor * lr over `period` epochs, constant in an epoch."""

    def schedule(step):
        phase = jnp.minimum(step // per_epoch, period) / period
        return lr * (floor + (1 - floor) * (1 + jnp.cos(jnp.pi * phase)) / 2)

    return schedule


def known_laws(cfg: PowerLaw, key) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """The controls, one draw of each a repeat; the claims look at the first size and sigma."""
    known_key, grid_key = (jax.random.split(k, cfg.repeats) for k in jax.random.split(key))
    c = cfg.controls
    rows = [
        controls.measured(
            repeat_key,
            planted=c.planted,
            softmax=c.softmax,
            dependent=c.dependent,
            draws=c.draws,
        )
        for repeat_key in known_key
    ]
    grid = controls.independent_grid(
        grid_key, samples=c.independent, sigmas=c.sigmas, draws=c.draws
    )
    metrics = {name: [row[name] for row in rows] for name in rows[0]}
    metrics["control_independent_in_sample"] = grid[:, 0, 0, 0].tolist()
    metrics["control_independent_crossfit"] = grid[:, 0, 0, 1].tolist()
    return metrics, {"control_independent": grid}


def _measured(cfg: PowerLaw, key, layer: Layer, params, data, Q, tick: Callable[[], None]):
    """(metrics, arrays) of one trained network."""
    whole_key, ladder_key = jax.random.split(key)
    m, (x, y) = cfg.measurement, data
    a, loss, correct = layer.activities(params, float64(x), jnp.asarray(y))
    xs = a, jnp.asarray(y)
    metrics, arrays = law.whole(
        whole_key,
        layer,
        params,
        xs,
        Q,
        window=cfg.window,
        replicates=m.replicates,
        shown=m.shown,
    )
    tick()
    ladder_metrics, ladder_arrays = law.ladder(
        ladder_key,
        layer,
        params,
        xs,
        sizes=m.subsets,
        splits=m.splits,
        window=cfg.window,
        replicates=m.replicates,
        tick=tick,
    )
    metrics |= {"train_loss": float(loss.mean()), "train_accuracy": float(correct.mean())}
    return metrics | ladder_metrics, arrays | ladder_arrays


def _stacked(dicts) -> dict[str, np.ndarray]:
    """One dict of arrays with a leading repeat axis."""
    return {name: np.stack([np.asarray(d[name]) for d in dicts]) for name in dicts[0]}


def _axes(cfg: PowerLaw) -> dict[str, np.ndarray]:
    """What the figures need to know of the config."""
    m, c = cfg.measurement, cfg.controls
    return {
        "subsets": np.array(m.subsets),
        "samples": np.array(cfg.data.per_class * cfg.data.classes),
        "window": np.array(cfg.window),
        "control_samples": np.array(c.independent),
        "control_sigmas": np.array(c.sigmas),
    }


def _ticker(journal: Journal, cfg: PowerLaw) -> Callable[[], None]:
    """Moves the progress bar by one measured set of samples."""
    m = cfg.measurement
    done, total = iter(range(1, 10**6)), cfg.repeats * (1 + len(m.subsets) * m.splits)
    return lambda: journal.progress(next(done), total)


EXPERIMENT = Experiment(
    config=PowerLaw, run=run, claims=claims_beside(__file__), figures=figures, x64=True
)
