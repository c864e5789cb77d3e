"""Language modelling at equal tokens and equal budgets: which attention predicts text best?

Paper: SLAY (arXiv 2602.04915), its language-modelling table, there with unequal features and one
seed. Here: bytes of documentation that is installed anyway, one decoder in which only the attention
differs, about 256 features where a mechanism has features, a learning rate tuned for each with as
many trials, several seeds on the same batches, n-gram controls, a sample from the streaming state.

    feedrun experiment=slay_lm                    minutes: see the yaml
"""

from functools import cache
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field, model_validator

from feedrun import train
from feedrun.experiment import Config, Count, Experiment, Journal, Positive, Result, claims_beside
from feedrun.experiment.metrics import paired, picked
from feedrun.models.decoder import Decoder, attention, standard
from feedrun.papers.slay import throughput
from feedrun.papers.slay.attention.mechanisms import DELTA, KERNELS, windows
from feedrun.papers.slay.decoders import generate, training
from feedrun.papers.slay.decoders.training import Mechanism, chosen
from feedrun.papers.slay.lm.figures import figures
from feedrun.papers.slay.lm.windows import NextByte, Windows, bigram, nats, unigram
from feedrun.tasks import docstrings
from feedrun.train import tune

BYTES = 256

ROUNDS = 5
"""Products of large matrices of which the median says what the device can do."""


class Training(Config):
    """`rates` are the trials of each mechanism; as many seeds follow at the best one."""

    steps: Count
    batch: Count
    rates: Annotated[list[Positive], Field(min_length=1)]
    weight_decay: Annotated[float, Field(ge=0)]


class LanguageModel(Config):
    """The whole experiment; `ours` names the mechanism that stands for feedrun's own."""

    packages: Annotated[list[str], Field(min_length=1)]
    mechanisms: dict[str, Mechanism]
    compared: Annotated[list[str], Field(min_length=1)]
    ours: str
    sampled: str
    context: Annotated[int, Field(ge=2)]
    width: Count
    heads: Count
    layers: Count
    dtype: Literal["float32", "bfloat16"]
    remat: bool
    training: Training
    windows: Count
    prompt: Annotated[str, Field(min_length=1)]
    sample_bytes: Count
    temperature: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _fits_together(self):
        chosen(self.mechanisms, [*self.compared, self.ours])
        if self.sampled not in self.compared:
            raise ValueError(f"sampled {self.sampled!r} is not among those compared")
        if self.mechanisms[self.sampled].attend not in KERNELS:
            raise ValueError(f"sampled {self.sampled!r} has no state of fixed size")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if not len(self.prompt.encode()) < self.sample_bytes <= self.context:
            raise ValueError(
                f"sample_bytes must exceed the prompt's {len(self.prompt.encode())} bytes and be "
                f"at most the context {self.context}, got {self.sample_bytes}"
            )
        return self


def run(cfg: LanguageModel, key, journal: Journal) -> Result:
    """Train every mechanism on the same batches; compare on the test part."""
    train_key, write_key = jax.random.split(key)
    corpus = docstrings.load(cfg.packages)
    controls = {
        "unigram": unigram(corpus.train, corpus.test),
        "bigram": bigram(corpus.train, corpus.test),
    }
    summary: dict[str, Any] = {f"loss_{name}": value for name, value in controls.items()}
    curves, tuned_lr, sample, peak = (
        {},
        {},
        "",
        throughput.all_devices_peak(cfg.dtype, rounds=ROUNDS),
    )
    for label, mechanism in chosen(cfg.mechanisms, cfg.compared).items():
        own, rows = jax.random.clone(train_key), []
        found = trained(cfg, own, mechanism, corpus, throughput.timed(journal.scope(label), rows))
        name = "ours" if label == cfg.ours else label
        summary[f"loss_{name}"] = tested(cfg, found.params, corpus.test).tolist()
        curves[name] = [row.metrics["train/loss"] for row in rows]
        tuned_lr[name] = found.lr
        summary |= speeds(cfg, name, found.params, rows, peak)
        if label == cfg.sampled:
            sample = written(cfg, write_key, found.params, mechanism)
    summary |= {
        name.replace("loss", "perplexity"): np.exp(v).tolist()
        for name, v in summary.items()
        if name.startswith("loss")
    }
    summary |= paired(picked(summary, "loss_{}", sum(COMPARED, ())), COMPARED)
    names = list(tuned_lr)
    arrays = {
        "mechanisms": np.array(names),
        "loss": np.array([summary[f"loss_{name}"] for name in names]),
        "controls": np.array([controls["unigram"], controls["bigram"]]),
        "curves": padded_curves(cfg, [curves[name] for name in names]),
        "bytes_a_row": np.array(_row_bytes(cfg)),
    }
    notes = {
        "data": corpus.notes,
        "chance": {f"loss_{name}": controls["unigram"] for name in names},
        "tuned_lr": tuned_lr,
        "peak_operations_per_second": peak,
        "tokens_a_run": cfg.training.steps * cfg.training.batch * cfg.context,
        "sample": {"mechanism": cfg.sampled, "text": sample},
    }
    return Result(summary, arrays, notes)


def trained(cfg: LanguageModel, key, mechanism: Mechanism, corpus, journal) -> tune.Tuned:
    """Networks at the rate that is best on the validation part."""
    t, net = cfg.training, network(cfg)
    stream = Windows(t.batch, cfg.context).stream(corpus.train)
    optimizer, loss = training.tunable(t.steps, t.weight_decay), NextByte(net)

    def fit(keys, params, opt_state, journal):
        return train.fit(
            keys,
            params,
            loss,
            stream,
            optimizer,
            steps=t.steps,
            log_every=_every(cfg),
            journal=journal,
            opt_state=opt_state,
            repeats=len(keys),
        )

    return tune.tuned_fit(
        key,
        t.rates,
        start=lambda keys: training.starts(keys, net, _drawing(cfg, mechanism)),
        fit=fit,
        score=lambda params: tested(cfg, params, corpus.valid),
        optimizer=optimizer,
        journal=journal,
    )


def tested(cfg: LanguageModel, params: Any, text: np.ndarray) -> np.ndarray:
    """Nats a byte (R,) on windows that do not overlap, at most `windows` of them, evenly spread."""
    return nats(NextByte(network(cfg)), params, text, context=cfg.context, most=cfg.windows)


def written(cfg: LanguageModel, key, params: Any, mechanism: Mechanism) -> str:
    """What the first network says after the prompt, byte by byte from its state."""
    first = jax.tree.map(lambda leaf: leaf[0], params)
    kernels = generate.kernel_of(first["drawn"])
    memory = generate.empty(
        kernels,
        layers=cfg.layers,
        heads=cfg.heads,
        dimension=cfg.width // cfg.heads,
        chunk=mechanism.chunk if kernels.scores else 1,
        window=windows(mechanism.attend, mechanism.sizes),
    )
    net = network(cfg, streaming=True)
    prompt = jnp.asarray(np.frombuffer(cfg.prompt.encode(), np.uint8), jnp.int32)
    given = (key, cfg.temperature, first["net"], memory, prompt)
    tokens = generate.stream(*given, decoder=net, length=cfg.sample_bytes)
    return bytes(np.asarray(tokens, np.uint8)).decode(errors="replace")


COMPARED = (
    ("softmax", "slay"),
    ("slay", "favor_relu"),
    ("slay", "favor"),
    ("slay", "square"),
    ("slay", "elu"),
    ("slay", "cosformer"),
    ("slay", "uniform"),
    ("ours", "slay"),
    ("ours", "softmax"),
    ("uniform", "bigram"),
)
"""Whose test losses are subtracted."""


def speeds(cfg: LanguageModel, name: str, params, rows, peak: float) -> dict[str, float]:
    """Of training, all seeds together; nothing where a run was continued at its end."""
    tokens = _row_bytes(cfg) * len(cfg.training.rates)
    speed = throughput.tokens_per_second(rows, tokens=tokens)
    if speed is None:
        return {}
    one = jax.tree.map(lambda leaf: leaf[0], params["net"])
    share = throughput.dense_share(one, speed, peak)
    return {f"tokens_per_second_{name}": speed, f"peak_share_{name}": share}


def network(cfg: LanguageModel, *, streaming: bool = False) -> Decoder:
    """The one network; `streaming`: with states of kernels in place of sequences."""
    sizes = cfg.context, cfg.width, cfg.heads, cfg.layers
    return _network(*sizes, dtype=cfg.dtype, remat=cfg.remat, streaming=streaming)


@cache
def _network(
    context: int, width: int, heads: int, layers: int, *, dtype: str, remat: bool, streaming: bool
) -> Decoder:
    return standard(
        vocabulary=BYTES,
        places="learned",
        length=context,
        width=width,
        heads=heads,
        layers=layers,
        mix=generate.recurrent(DELTA) if streaming else attention,
        dtype=None if dtype == "float32" else jnp.dtype(dtype),
        remat=remat,
    )


def padded_curves(cfg: LanguageModel, curves: list) -> np.ndarray:
    """(mechanisms, rows, seeds), NaN where a run was continued and its first rows are elsewhere."""
    rows = -(-cfg.training.steps // _every(cfg))
    found = np.full((len(curves), rows, len(cfg.training.rates)), np.nan)
    for i, curve in enumerate(curves):
        if curve:
            found[i, rows - len(curve) :] = curve
    return found


def _row_bytes(cfg: LanguageModel) -> int:
    return _every(cfg) * cfg.training.batch * cfg.context


def _every(cfg: LanguageModel) -> int:
    return max(1, cfg.training.steps // 20)


def _drawing(cfg: LanguageModel, mechanism: Mechanism):
    return training.drawing(
        mechanism, layers=cfg.layers, heads=cfg.heads, dimension=cfg.width // cfg.heads
    )


EXPERIMENT = Experiment(
    config=LanguageModel, run=run, claims=claims_beside(__file__), figures=figures
)
