"""Does SLAY approximate what it says? Kernel, quadrature, features, attention outputs.

Paper: Luna, Bouhsine, Choromanski, "SLAY" (2602.04915), sections 3 and 4 and the ablation.
Command: feedrun experiment=slay_kernel (minutes: see the yaml).
What should come out: every identity and bound holds; the default estimator tends to another kernel
and is about as near to exact attention as the plain mean of the values is; exact squares are near.
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.experiment import Experiment, Journal, Result, claims_beside
from feedrun.papers.slay.attention.mechanisms import Sizes
from feedrun.papers.slay.kernel import (
    ablation,
    fidelity,
    figures,
    identities,
    needle,
    node_budgets,
    sampling,
    selectivity,
    signs,
)
from feedrun.papers.slay.kernel.config import KernelConfig
from feedrun.papers.slay.kernel.fidelity import Row


def run(cfg: KernelConfig, key, journal: Journal) -> Result:
    """Closed forms, Monte Carlo, then outputs of attention, smallest part first."""
    gram_key, sample_key, sign_key, spread_key, *keys = jax.random.split(key, 7)
    rows, node_rows = table_rows(cfg), nodes_rows(cfg)
    layer = len(cfg.ablation.columns) * len(cfg.ablation.mechanisms)
    total, done = 4 + len(rows) + len(node_rows) + layer, itertools.count(1)

    def progress() -> None:
        journal.progress(next(done), total)

    summary: dict[str, Any] = {}
    for part, own_key in (
        (closed_forms, gram_key),
        (sampled, sample_key),
        (signed, sign_key),
        (spread, spread_key),
    ):
        summary |= part(cfg, own_key)
        progress()
    arrays: dict[str, np.ndarray] = {
        "eps": np.array(cfg.eps),
        "needle_dimension": np.array(cfg.exact.needle_dimension),
        "needle_others": np.array(cfg.exact.needle_others),
    }
    for measure, own_key, name in (
        (outputs, keys[0], "fidelity"),
        (by_nodes, keys[1], "nodes"),
        (layers, keys[2], "ablation"),
    ):
        numbers, drawn = measure(cfg, own_key, journal.scope(name), progress)
        summary, arrays = summary | numbers, arrays | drawn
    return Result(summary, arrays)


def closed_forms(cfg: KernelConfig, key) -> dict[str, Any]:
    """Identities, the Gram matrices of features, and the needle."""
    vector_key, feature_key = jax.random.split(key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(vector_key)))
    own = cfg.exact
    found = identities.measured(
        rng, eps=cfg.eps, points=own.points, dimensions=own.dimensions, vectors=own.vectors
    )
    budget = cfg.fidelity.budgets[0]
    found["definiteness_features"] = sampling.features_definiteness(
        feature_key, own.dimensions[-1], own.vectors, budget.sizes(cfg.eps)
    )
    return found | needle.measured(
        cfg.eps, dimension=own.needle_dimension, others=own.needle_others
    )


def sampled(cfg: KernelConfig, key) -> dict[str, Any]:
    """What is random: positive features, orthogonal ones, anchors."""
    prf_key, rate_key, orthogonal_key, anchor_key = jax.random.split(key, 4)
    own = cfg.sampling
    found: dict[str, Any] = sampling.positive_features(prf_key, draws=own.draws, block=own.block)
    found["monte_carlo_slope"] = sampling.monte_carlo_rate(
        rate_key, counts=tuple(own.counts), block=own.repeats, blocks=own.parts
    )
    found |= sampling.orthogonal(
        orthogonal_key, own.orthogonal_dimensions, draws=own.orthogonal_draws, parts=own.parts
    )
    found["anchor_mean_error"] = sampling.anchors(
        anchor_key, own.anchor_dimensions, draws=own.anchor_draws, block=own.block // 10
    )
    return found


def signed(cfg: KernelConfig, key) -> dict[str, Any]:
    """Signs of scores and of denominators."""
    own = cfg.signs
    return signs.measured(
        key,
        own.mechanisms,
        own.budget.sizes(own.eps),
        tokens=own.tokens,
        dimension=own.dimension,
        repeats=cfg.seeds,
    )


def spread(cfg: KernelConfig, key) -> dict[str, Any]:
    """Entropies."""
    own = cfg.selectivity
    return selectivity.measured(
        key,
        own.mechanisms,
        own.similarities,
        own.budget.sizes(own.eps),
        tokens=own.tokens,
        dimension=own.dimension,
        repeats=cfg.seeds,
    )


def table_rows(cfg: KernelConfig) -> list[Row]:
    """The table of outputs: labels are names, with _mM at other budgets than the first."""
    own = cfg.fidelity
    first, *more = (budget.sizes(cfg.eps, own.chunk) for budget in own.budgets)
    once = dict.fromkeys([*own.mechanisms, *own.swept])
    return [
        *(Row(name, name, first) for name in once),
        *(Row(f"{n}_m{sizes.features}", n, sizes) for n in own.swept for sizes in more),
    ]


def outputs(cfg: KernelConfig, key, journal: Journal, progress):
    """Outputs of every mechanism: against exact Yat attention and against softmax."""
    rows, own, keys = table_rows(cfg), cfg.fidelity, jax.random.split(key)
    data = heads_of(cfg, keys[0], tokens=own.tokens)
    found = fidelity.table(keys[1], data, rows, journal, progress)
    summary: dict[str, Any] = fidelity.summary(found, rows)
    error = {row.label: values[:, 0] for row, values in zip(rows, found, strict=True)}
    if {"slay", "uniform"} <= error.keys():
        for n, kind in enumerate(fidelity.DATA):
            less = error["slay"][0, n] - error["uniform"][0, n]
            summary[f"slay_less_uniform_{kind}"] = less.tolist()
    if {"slay", "favor_relu"} <= error.keys():
        less = error["slay"][1, 0] - error["favor_relu"][1, 0]
        summary["slay_less_performer"] = less.tolist()
    features = [budget.sizes(cfg.eps).features for budget in own.budgets]
    labels = [[n, *(f"{n}_m{m}" for m in features[1:])] for n in own.swept]
    arrays = {
        "rows": np.array([row.label for row in rows]),
        "row_values": found,
        "swept": np.array(own.swept, str),
        "features": np.array(features),
        "swept_errors": np.array([[error[label] for label in line] for line in labels]),
    }
    return summary, arrays


def heads_of(cfg: KernelConfig, key, *, tokens: int) -> fidelity.Heads:
    """Both kinds of data for all seeds."""
    return fidelity.draw(
        jax.random.split(key, cfg.seeds),
        jnp.array([0.0, cfg.fidelity.correlation]),
        heads=cfg.fidelity.heads,
        tokens=tokens,
        dimension=cfg.fidelity.dimension,
    )


def nodes_rows(cfg: KernelConfig) -> list[Row]:
    """The square alone, then every number of nodes at every budget."""
    own = cfg.nodes
    plain = Sizes(nodes=1, prf=1, poly=1, eps=cfg.eps)
    pairs = itertools.product(own.nodes, own.budgets)
    return [
        Row("square", "square", plain),
        *(Row(f"R{R}_{m}", "square_prf", plain._replace(nodes=R, prf=m // R)) for R, m in pairs),
    ]


def by_nodes(cfg: KernelConfig, key, journal: Journal, progress):
    """Errors by number of nodes at equal features, and of one node."""
    rows, own, keys = nodes_rows(cfg), cfg.nodes, jax.random.split(key)
    data = heads_of(cfg, keys[0], tokens=own.tokens)
    square, *rest = node_budgets.errors(keys[1], data, rows, cfg.eps, journal, progress)
    found = np.array(rest).reshape(len(own.nodes), len(own.budgets), *square.shape)
    summary: dict[str, Any] = {
        f"nodes_error_{kind}_{row.label}": values[n].tolist()
        for row, values in zip(rows[1:], rest, strict=True)
        for n, kind in enumerate(fidelity.DATA)
    }
    summary |= node_budgets.differences(found, square, own.nodes, own.budgets)
    arrays = {"nodes": np.array(own.nodes), "node_budgets": np.array(own.budgets)}
    return summary, arrays | {"node_errors": found, "square_errors": square}


def layers(cfg: KernelConfig, key, journal: Journal, progress):
    """The paper's ablation, and uniform attention in it."""
    own = cfg.ablation
    columns = [ablation.Size(c.label, c.tokens, c.sizes(own.eps)) for c in own.columns]
    shape = ablation.Shape(own.embed, own.heads, own.batch)
    found = ablation.table(
        key,
        own.mechanisms,
        columns,
        shape,
        repeats=own.repeats,
        journal=journal,
        progress=progress,
    )
    arrays = {
        "ablation_names": np.array(own.mechanisms),
        "ablation_labels": np.array([c.label for c in columns]),
        "ablation_errors": found[:, :, 0],
    }
    return ablation.summary(found, own.mechanisms, columns), arrays


EXPERIMENT = Experiment(
    config=KernelConfig, run=run, claims=claims_beside(__file__), figures=figures.figures
)
