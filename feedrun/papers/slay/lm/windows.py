"""Bytes as training windows, how well decoders predict them, and n-grams to compare with."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.models.decoder import Decoder
from feedrun.papers.slay.decoders import training
from feedrun.papers.slay.decoders.tasks import negative_log_softmax
from feedrun.train import streams

EVALUATED = 16
"""Windows that are tested at once."""


@dataclass(frozen=True)
class Windows:
    """batch(text, key): `size` windows of context + 1 bytes at random places of a text."""

    size: int
    context: int

    def __call__(self, text: Any, key: Any) -> Any:
        """The batch (B, T + 1) of one step."""
        starts = jax.random.randint(key, (self.size,), 0, len(text) - self.context)
        window = partial(jax.lax.dynamic_slice_in_dim, text, slice_size=self.context + 1)
        return jax.vmap(window)(starts).astype(jnp.int32)

    def stream(self, text: np.ndarray) -> streams.Stream:
        """For `train.fit`; ValueError for a text shorter than a window."""
        if len(text) <= self.context:
            raise ValueError(f"a text of {len(text)} bytes has no window of {self.context + 1}")
        return streams.Stream(jnp.asarray(text), streams.step_keys, self)


@dataclass(frozen=True)
class NextByte:
    """Mean nats a byte of a decoder's predictions; a value, so that programs are shared."""

    decoder: Decoder

    def __call__(self, params: Mapping[str, Any], windows: Any, key: Any):
        """(nats, {"bits"}): the same in bits a byte."""
        loss = self.losses(params, windows).mean()
        return loss, {"bits": loss / jnp.log(2).astype(loss.dtype)}

    def losses(self, params: Mapping[str, Any], windows: Any) -> Any:
        """(B, T) nats of each byte but the first."""
        logits = jax.vmap(partial(training.logits, self.decoder, params))(windows[:, :-1])
        return negative_log_softmax(logits, windows[:, 1:])


def nats(loss: NextByte, params: Any, text: np.ndarray, *, context: int, most: int) -> np.ndarray:
    """Nats a byte (R,) of R networks on windows that do not overlap, `most` evenly spread ones.

    ValueError for a text with fewer than a batch of EVALUATED windows.
    """
    count = min(most, (len(text) - 1) // context) // EVALUATED * EVALUATED
    if not count:
        raise ValueError(f"{len(text)} bytes have fewer than {EVALUATED} windows of {context}")
    picked = np.linspace(0, (len(text) - 1) // context - 1, count).astype(int)
    windows = np.stack([text[i * context : (i + 1) * context + 1] for i in picked])
    batches = jnp.asarray(windows, jnp.int32).reshape(-1, EVALUATED, context + 1)
    return np.asarray(_nats(params, batches, loss=loss))


@partial(jax.jit, static_argnames="loss")
def _nats(params, batches, *, loss: NextByte):
    def one(params):
        return jax.lax.map(lambda batch: loss.losses(params, batch).mean(), batches).mean()

    return jax.lax.map(one, params)


def unigram(train: np.ndarray, test: np.ndarray) -> float:
    """Nats a byte of the test text by the byte frequencies of training, one added to each."""
    return float(-np.log(_frequencies(train))[test].mean())


def bigram(train: np.ndarray, test: np.ndarray) -> float:
    """Nats a byte by the frequencies after the byte before, one unigram draw added to each."""
    counts = np.bincount(train[:-1].astype(int) * 256 + train[1:], minlength=2**16)
    counts = counts.reshape(256, 256) + _frequencies(train)[None]
    chances = counts / counts.sum(axis=1, keepdims=True)
    return float(-np.log(chances[test[:-1], test[1:]]).mean())


def _frequencies(text: np.ndarray) -> np.ndarray:
    counts = np.bincount(text, minlength=256) + 1.0
    return counts / counts.sum()
