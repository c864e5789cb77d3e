"""Long Range Arena with one transformer in which only attention varies: what does SLAY lose?

The paper (arXiv 2602.04915) announces vision and long ranges and has no such result; it compares
unequal budgets, untuned rates and one seed. Here every mechanism gets as many learning rates to
choose from on validation data, as many seeds, the same initial weights and batches.

    feedrun experiment=slay_lra            two cores: see `minutes` in its yaml

What should come out: softmax and the exact kernel learn the task; what SLAY's random features keep
of that; whether the exact square beside a window of the exact kernel keeps more.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from feedrun.experiment import Experiment, Journal, Result, claims_beside
from feedrun.experiment.metrics import alone, paired
from feedrun.models import classifier as models
from feedrun.papers.slay import throughput
from feedrun.papers.slay.lra import cost, figures, mixing, sweep_figures, training
from feedrun.papers.slay.lra.config import LongRange
from feedrun.papers.slay.lra.paired import PAIRS, learned
from feedrun.tasks.lra import catalogue, sequences
from feedrun.train import tune

MAPPED = 40
"""Length of the sequence whose attention is drawn, or the nearest that there is."""


class Outcome(NamedTuple):
    """What is kept of one mechanism; the rates' trial and the curves of the seeds.

    `state`: the numbers that a layer keeps of what it has read, None where that grows with it.
    """

    accuracy: np.ndarray
    tried: np.ndarray
    rate: float
    curves: np.ndarray
    cost: cost.Cost
    parameters: int
    features: int | None
    state: int | None
    maps: np.ndarray | None


def run(cfg: LongRange, key, journal: Journal) -> Result:
    """Choose each mechanism's rate on validation, train its seeds, test them; then compare."""
    data = load(cfg)
    majority = sequences.majority(data)
    tune_key, seeds_key = jax.random.split(key)
    same = jnp.stack([jax.random.clone(tune_key) for _ in cfg.rates])
    keys = jax.random.split(seeds_key, cfg.seeds), same
    peak = throughput.peak(cfg.dtype, rounds=cfg.timed)
    found = {}
    for name in cfg.attends:
        found[name] = outcome(cfg, name, data, keys, peak, journal)
        journal.log(len(found), {f"{name}/accuracy": found[name].accuracy.tolist()})
    summary = {k: v for name in found for k, v in metrics(name, found[name], majority).items()}
    accuracies = {name: it.accuracy for name, it in found.items()}
    summary |= paired(accuracies, PAIRS, alias={"ours": cfg.ours})
    summary["tokens_not_padding"] = sequences.real_share(bucketed(cfg, data))
    summary |= alone(summary, cfg.attends)
    return Result(summary, arrays(cfg, data, found, majority), notes(cfg, data, found, majority))


def load(cfg: LongRange) -> sequences.SequenceTask:
    """The task's data at its sizes."""
    d = cfg.sizes.data
    return catalogue.load(
        cfg.task,
        length=d.length,
        train=d.train,
        valid=d.valid,
        test=d.test,
        folder=cfg.folder if cfg.published else None,
        seed=cfg.data_seed,
        **d.options,
    )


def bucketed(cfg: LongRange, data: sequences.SequenceTask) -> sequences.Buckets:
    """What is trained on, in groups of about equal length."""
    return sequences.buckets(data.train, cfg.sizes.training.groups)


def built(
    cfg: LongRange, name: str, data: sequences.SequenceTask, widths: tuple[int, ...]
) -> training.Program:
    """The model with this mechanism, and how it is trained, in groups of these widths."""
    m, t = cfg.sizes.model, cfg.sizes.training
    model = models.classifier(
        models.Sizes(
            data.vocabulary,
            data.classes,
            cfg.sizes.data.length,
            layers=m.layers,
            width=m.width,
            qkv=m.qkv,
            heads=m.heads,
            hidden=m.hidden,
            pool=m.pool,
            drop=m.drop,
        ),
        mixing.mixing(cfg, name)[0],
        pairs=data.train.tokens.ndim == 3,
        dtype=None if cfg.dtype == "float32" else jnp.dtype(cfg.dtype),
        remat=cfg.remat,
    )
    return training.program(
        model,
        widths,
        steps=t.steps,
        batch=t.batch,
        warmup=t.warmup,
        decay=t.decay,
        drop=m.drop > 0,
    )


def outcome(cfg: LongRange, name: str, data, keys, peak: float, journal: Journal) -> Outcome:
    """Train one mechanism: all rates with the tuning seed, then the seeds with the best rate."""
    t, learnt = cfg.sizes.training, bucketed(cfg, data)
    program = built(cfg, name, data, learnt.widths)
    seed_keys, tune_keys = (jax.random.clone(k) for k in keys)

    def trained(keys, rates, journal):
        return training.trained(
            program,
            keys,
            rates,
            learnt,
            data.valid,
            batch=t.batch,
            steps=t.steps,
            log_every=t.log_every,
            journal=journal,
        )

    done, rate, scores = tune.best_of(
        (tune_keys, seed_keys),
        cfg.rates,
        train=trained,
        score=lambda trial: -trial.curves[-1, training.CURVES.index("valid/accuracy")],
        journals=(journal.scope(f"{name}_rates"), journal.scope(name)),
        seeds=cfg.seeds,
    )
    first = jax.tree.map(lambda leaf: leaf[0], done.params)
    features, state = mixing.remembered(cfg, name)
    shown = name in ("softmax", "yat", cfg.ours) and name != "ssd"
    return Outcome(
        program.accuracy(done.params, data.test),
        -scores,
        rate,
        done.curves,
        cost.cost(program, first, learnt, batch=t.batch, peak=peak, rounds=cfg.timed),
        cost.parameters(first),
        features,
        state,
        attention_map(program.model, first, *example(data)[:2]) if shown else None,
    )


def example(data: sequences.SequenceTask) -> tuple[np.ndarray, Any]:
    """Tokens and length of the test sequence whose (first) length is nearest to MAPPED."""
    lengths = data.test.lengths.reshape(len(data.test.labels), -1)[:, 0]
    nearest = int(np.abs(lengths - MAPPED).argmin())
    return data.test.tokens[nearest], data.test.lengths[nearest]


def attention_map(model: models.Classifier, params, tokens, length) -> np.ndarray:
    """Of each layer the head with the sharpest weights, (layers, S, S) without padding."""
    weights = np.asarray(jax.jit(model.attention)(params, tokens, length))
    size = min(int(np.ravel(length)[0]) + weights.shape[-1] - tokens.shape[-1], 2 * MAPPED)
    weights = weights[..., :size, :size]
    sharpest = weights.max(axis=-1).mean(axis=-1).argmax(axis=1)
    return weights[np.arange(len(weights)), sharpest].astype(np.float32)


def metrics(name: str, found: Outcome, majority: float) -> dict[str, Any]:
    """The summary of one mechanism."""
    summary: dict[str, Any] = {
        f"{name}/accuracy": found.accuracy.tolist(),
        f"{name}/over_majority": (found.accuracy - majority).tolist(),
        **{f"{name}/{k}": v for k, v in found.cost._asdict().items()},
    }
    sizes = {"parameters": found.parameters, "features": found.features, "state": found.state}
    return summary | {f"{name}/{k}": v for k, v in sizes.items() if v}


def arrays(cfg: LongRange, data, found: dict[str, Outcome], majority: float) -> dict[str, Any]:
    """What the figures are drawn from."""
    t = cfg.sizes.training
    rows = len(next(iter(found.values())).curves)
    tokens, length = example(data)
    maps = {f"map_{name}": it.maps for name, it in found.items() if it.maps is not None}
    return maps | {
        "names": np.array(list(found)),
        "task": np.array(cfg.task),
        "ours": np.array(cfg.ours),
        "majority": np.array(majority),
        "accuracy": np.stack([it.accuracy for it in found.values()]),
        "curves": np.stack([it.curves for it in found.values()]),
        "steps": np.minimum(t.log_every * np.arange(1, rows + 1), t.steps),
        "tried": np.stack([it.tried for it in found.values()]),
        "rates": np.array(cfg.rates),
        "speed": np.array([it.cost.tokens_per_second for it in found.values()]),
        "memory": np.array([it.cost.temp_megabytes for it in found.values()]),
        "seconds": np.array([it.cost.seconds_per_step for it in found.values()]),
        "tokens": np.array(t.batch * data.train.lengths.sum() / len(data.train.labels)),
        "features": np.array([it.features or 0 for it in found.values()]),
        "state": np.array([it.state or 0 for it in found.values()]),
        "example": np.asarray(tokens).reshape(-1, tokens.shape[-1])[0, : np.ravel(length)[0]],
    }


def notes(cfg: LongRange, data, found: dict[str, Outcome], majority: float) -> dict[str, Any]:
    """Which data, the guessing level, which rates were tried and chosen, who learned nothing."""
    names = [f"{name}/accuracy" for name in found] + ["accuracy"] * (len(found) == 1)

    def tried(it):
        return dict(zip(map(str, cfg.rates), it.tried.tolist(), strict=True))

    return {
        "data": data.source,
        "chance": dict.fromkeys(names, majority),
        "rates": {name: {"chosen": it.rate, "valid": tried(it)} for name, it in found.items()},
        "learned_nothing": [n for n, it in found.items() if not learned(it.accuracy, majority)],
        "features_a_head": {name: it.features for name, it in found.items() if it.features},
        "numbers_in_a_layer_s_state": {n: it.state or "all keys" for n, it in found.items()},
        "tokens_not_padding": {
            "in_groups": sequences.real_share(bucketed(cfg, data)),
            "padded_to_the_longest": sequences.real_share(sequences.buckets(data.train, 1)),
        },
    }


EXPERIMENT = Experiment(
    config=LongRange,
    run=run,
    claims=claims_beside(__file__),
    figures=figures.figures,
    reduce=sweep_figures.sweep_figures,
)
