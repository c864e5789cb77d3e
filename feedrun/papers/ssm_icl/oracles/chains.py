"""Symbols in icl_oracles: random Markov chains, the switching chain, and LG-MOP."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.papers.ssm_icl import families
from feedrun.papers.ssm_icl.families import catalogue
from feedrun.papers.ssm_icl.families import evaluation as ev
from feedrun.papers.ssm_icl.families.evaluation import Evaluation
from feedrun.papers.ssm_icl.oracles.reference import MARKOV

SMOOTHING = {2: 1.0, 3: 1.0, 8: 1.0, 27: 0.1}
"""Dirichlet parameter by alphabet: 27 symbols look like text."""

RATE = (2, 3)
"""Alphabets small enough for t KL to have reached its limit at 512 symbols."""


def markov(key: jax.Array, *, sequences: Mapping[int, int], length: int, repeats: int):
    """KL of the Bayes and of the unigram predictor to the truth over t; alphabet -> sequences."""
    summary, arrays, z = {}, {}, []
    keys = jax.random.split(key, len(sequences))
    for own_key, (symbols, count) in zip(keys, sequences.items(), strict=True):
        parts = jax.random.split(own_key, repeats)
        found = _divergences(parts, symbols, count // repeats, length)
        kl = {name: np.asarray(value) for name, value in found.items()}  # (R, S, T)
        arrays |= {f"mc_{symbols}_{name}": value.mean(axis=1) for name, value in kl.items()}
        rate = np.arange(length) * arrays[f"mc_{symbols}_bayes"] / (symbols * (symbols - 1) / 2)
        summary[f"markov_rate_{symbols}"] = rate[:, -length // 8 :].mean(axis=1).tolist()
        flat = kl["bayes"].reshape(-1, length)
        for t, (value, error) in MARKOV[symbols, SMOOTHING[symbols]].items():
            if t < length:
                own = flat[:, t].std(ddof=1) / len(flat) ** 0.5
                z.append(abs(flat[:, t].mean() - value) / np.hypot(own, error))
    summary["markov_table_z"] = float(max(z)) if z else None
    return summary, arrays | {"mc_alphabets": np.array(list(sequences))}


@partial(jax.jit, static_argnums=(1, 2, 3))
def _divergences(keys, symbols, count, length):
    """KL (R, S, T) by predictor, one repeat after the other."""
    family = catalogue.markov(symbols=symbols, alpha=SMOOTHING[symbols])
    named: dict[str, Any] = {"bayes": family.bayes, **family.estimators}

    def part(key):
        batch = family.sample(key, count=count, length=length)
        truth = family.genie(batch)
        return {name: families.divergence(truth, f(batch)) for name, f in named.items()}

    return jax.lax.map(part, keys)


def switching(key: jax.Array, *, sequences: int, length: int):
    """SM: the filter over hidden modes against counts; nats above the one that sees the mode."""
    keys = families.keys(key)

    @jax.jit
    def run(library_key, test_key):
        family = catalogue.switching(library_key)
        found = ev.evaluate(family, test_key, count=sequences, length=length)
        probabilities = jax.tree.map(jnp.exp, found["predictions"])
        return found | {"predictions": probabilities}

    one = ev.evaluation(run(keys.library, keys.test))
    loss = {name: value.mean(axis=0) for name, value in one.losses.items()}
    return {f"sm_{name}": value for name, value in loss.items()}, one


def protocol(key: jax.Array, *, sequences: int, length: int, repeats: int) -> dict[str, Any]:
    """LG-MOP with coloured noise: the published line's risk over the optimum's, one a repeat."""

    @jax.jit
    def run(key):
        family = catalogue.mop(triangular=False, coloured=True)
        return ev.evaluate(family, key, count=sequences, length=length)

    one: Evaluation = ev.evaluation(run(key))
    late = {n: ev.curves(v[:, length // 2 :], repeats).mean(axis=1) for n, v in one.losses.items()}
    return {"inflated_ratio": (late["inflated"] / late["genie"]).tolist()}
