"""Predictors of symbols against counting by hand and summing over all hidden paths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.maths import markov

V, T, B, K = 3, 7, 2, 2


def test_add_constant_counts_what_followed_the_context():
    rng = np.random.default_rng(0)
    x, context = rng.integers(0, V, (B, T)), rng.integers(0, 4, (B, T))
    found = jax.jit(lambda x, i: markov.add_constant(x, i, symbols=V, contexts=4, alpha=0.5))(
        jnp.asarray(x), jnp.asarray(context)
    )
    for b, t in itertools.product(range(B), range(T)):
        same = context[b, :t] == context[b, t]
        counts = np.bincount(x[b, :t][same], minlength=V) + 0.5
        np.testing.assert_allclose(found[b, t], np.log(counts / counts.sum()), atol=1e-12)


def test_forward_beliefs_sum_over_all_paths_of_modes():
    rng = np.random.default_rng(1)
    initial, moves = rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), K)
    likelihood = rng.uniform(0.1, 1, (B, T, K))
    found = jax.jit(markov.forward_beliefs)(*(jnp.asarray(v) for v in (initial, moves, likelihood)))
    for b, t in itertools.product(range(B), range(T)):
        belief = np.zeros(K)
        for path in itertools.product(range(K), repeat=t + 1):
            p = initial[path[0]]
            for s in range(t):
                p *= likelihood[b, s, path[s]] * moves[path[s], path[s + 1]]
            belief[path[-1]] += p
        np.testing.assert_allclose(found[b, t], belief / belief.sum(), atol=1e-12)
