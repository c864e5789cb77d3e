"""The single linear self-attention layer of in-context learning theory: no softmax, MLP or norm."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from feedrun.models import Model


class _LinearSelfAttention(nn.Module):
    """H + P H M (H^T Q H) / n, with a token a row here."""

    @nn.compact
    def __call__(self, tokens):
        shape, normal = (tokens.shape[1],) * 2, nn.initializers.normal(0.02)
        P, Q = (self.param(n, normal, shape, jnp.float32).astype(tokens.dtype) for n in "PQ")
        context = tokens[:-1]
        scores = tokens @ Q.T @ context.T
        return tokens + scores @ context @ P.T / len(context)


def linear_self_attention(features: int) -> Model:
    """Tokens (n + 1, F) to (n + 1, F): each plus P sum_i z_i (z_i^T Q z) / n over the first n.

    The last token is the query and attended by none (the mask M). With tokens [x_i, y_i], the
    query [x, 0], Q = diag(I, 0) and P = gamma e_y e_y^T, the query's last number is one step of
    gradient descent from w = 0: gamma x^T X^T y / n (von Oswald et al., arXiv 2212.07677).
    """
    net = _LinearSelfAttention()

    def init(key):
        return net.init(key, jnp.zeros((2, features), jnp.float32))

    def apply(params, tokens: Float[Array, "T F"]) -> Any:
        if len(tokens) < 2:
            raise ValueError(f"a context of one token or more and a query, got {len(tokens)} rows")
        return net.apply(params, tokens)

    return Model(init, apply)
