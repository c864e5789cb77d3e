"""slay_lra: training, its memory, costs, and the experiment end to end at its smoke size."""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import yaml
from pydantic import ValidationError

from feedrun import train
from feedrun.experiment import judge, silent_journal
from feedrun.models import classifier as models
from feedrun.papers.slay.lra import config as lra_config
from feedrun.papers.slay.lra import cost, mixing, sweep_figures, training
from feedrun.papers.slay.lra import experiment as lra
from feedrun.papers.slay.lra import figures as lra_figures
from feedrun.papers.slay.lra.paired import MARGIN, PAIRS
from feedrun.tasks.lra.sequences import Sequences, buckets
from tests import configs

T, BATCH = 8, 16


def config(scale="laptop", **changes):
    return configs.config("slay_lra", scale, **changes)


@pytest.fixture
def result(smoke):
    return smoke("slay_lra").result


def counting(key, count):
    """Of 3 to T tokens, 1 or 2, which is there more often? A bag of tokens decides it."""
    token_key, length_key = jax.random.split(key)
    lengths = 1 + 2 * jax.random.randint(length_key, (count,), 1, T // 2)
    tokens = jax.random.randint(token_key, (count, T), 1, 3)
    tokens = jnp.where(jnp.arange(T)[None] < lengths[:, None], tokens, 0)
    labels = (tokens == 2).sum(1) > (tokens == 1).sum(1)
    return Sequences(
        *(
            np.asarray(x, kind)
            for x, kind in ((tokens, np.uint8), (lengths, np.int32), (labels, np.int32))
        )
    )


@cache
def program(name="uniform", steps=60, drop=0.0):
    sizes = models.Sizes(
        3, 2, T, layers=1, width=8, qkv=8, heads=2, hidden=8, pool="mean", drop=drop
    )
    draw, _ = mixing.mechanism(name, 4, chunk=4, pairs=False, longest=T)
    model = models.classifier(sizes, draw, pairs=False)
    how = {"steps": steps, "batch": BATCH, "warmup": 5, "decay": 0.01}
    return training.program(model, splits()[0].widths, **how, drop=drop > 0)


@cache
def splits():
    keys = jax.random.split(jax.random.key(5), 2)
    return buckets(counting(keys[0], 512), 2), counting(keys[1], 70)


def trained(journal=None, *, rates=(0.03, 0.01), steps=60, name="uniform", drop=0.0):
    data, valid = splits()
    keys = jax.random.split(jax.random.key(1), len(rates))
    sizes = {
        "batch": BATCH,
        "steps": steps,
        "log_every": 20,
        "journal": journal or silent_journal(),
    }
    return training.trained(program(name, drop=drop), keys, rates, data, valid, **sizes)


@pytest.mark.slow
def test_blind_averaging_learns_to_count():
    """The control whose answer is known: uniform attention suffices for a bag of tokens."""
    found = trained()
    valid = found.curves[:, training.CURVES.index("valid/accuracy")]
    assert valid.shape == (3, 2) and (valid[-1] > 0.95).all(), valid
    np.testing.assert_allclose(program().accuracy(found.params, splits()[1]), valid[-1])


def test_a_rate_that_is_too_small_learns_less_in_the_same_program():
    found = trained(rates=(0.03, 1e-5))
    loss = found.curves[-1, training.CURVES.index("train/loss")]
    assert loss[0] < 0.3 < 0.6 < loss[1]


def test_an_interrupted_training_ends_with_the_same_params_and_curves():
    kept: dict[str, Any] = {}

    class Stop(Exception):
        pass

    def save(step, state, final=False):
        kept["at"] = step, jax.tree.map(np.asarray, state)
        if "stopped" not in kept and step == 40:
            kept["stopped"] = True
            raise Stop
        return True

    def restore(like):
        return kept.get("at")

    journal = silent_journal()._replace(save=save, restore=restore)
    with pytest.raises(Stop):
        trained(journal)
    resumed, whole = trained(journal), trained()
    np.testing.assert_array_equal(resumed.curves, whole.curves)
    jax.tree.map(np.testing.assert_array_equal, resumed.params, whole.params)


def applied(params, updates) -> Any:
    return optax.apply_updates(params, updates)


def test_the_optimizer_is_adamw_with_its_schedule_and_leaves_what_was_drawn():
    params: Any = {"weights": {"a": jnp.asarray([1.0, -2.0])}, "drawn": [jnp.ones(3)]}
    grads: Any = {"weights": {"a": jnp.asarray([0.3, 0.1])}, "drawn": [jnp.zeros(3)]}
    ours = training.adamw(steps=10, warmup=3, decay=0.1)
    tuned = train.tuned(ours, learning_rate=0.05)
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.05, 3, 10)
    theirs = optax.adamw(schedule, b2=0.98, weight_decay=0.1)
    states, (mine, other) = (
        [tuned.init(params), theirs.init(params["weights"])],
        (params, params["weights"]),
    )
    for _ in range(4):
        updates, states[0] = ours.update(grads, states[0], mine)
        mine = applied(mine, updates)
        updates, states[1] = theirs.update(grads["weights"], states[1], other)
        other = applied(other, updates)
    np.testing.assert_allclose(mine["weights"]["a"], other["a"], rtol=1e-6)
    np.testing.assert_array_equal(mine["drawn"][0], 1)
    assert (other["a"] != params["weights"]["a"]).all()


@pytest.mark.parametrize(
    "name",
    ["cosformer", *(pytest.param(n, marks=pytest.mark.slow) for n in ("softmax", "window_square"))],
)
def test_a_group_s_loss_and_gradient_are_those_of_the_padded_batch(name):
    """Against sequences that all are padded to the longest there is, without groups."""
    it, data = program(name), splits()[0]
    assert data.widths[0] < data.widths[1] == T - 1
    params = jax.jit(it.model.init)(jax.random.key(0))
    rows = jax.tree.map(lambda x: jnp.asarray(x[:BATCH]), tuple(data.data))

    def padded(params):
        logits = jax.vmap(partial(it.model.apply, params))(*rows[:2])
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, rows[2])
        return losses.mean(), {"accuracy": (logits.argmax(-1) == rows[2]).mean()}

    def grouped(params):
        return it.loss(params, (jnp.asarray(0), rows), jax.random.key(1))

    found, expected = (
        jax.jit(jax.value_and_grad(f, has_aux=True))(params) for f in (grouped, padded)
    )
    np.testing.assert_allclose(found[0][0], expected[0][0], rtol=1e-6)
    assert found[0][1]["accuracy"] == pytest.approx(expected[0][1]["accuracy"])
    same = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)
    jax.tree.map(same, found[1]["weights"], expected[1]["weights"])


def test_accuracy_is_the_share_of_right_answers_whatever_the_batch():
    inits = map(program().model.init, jax.random.split(jax.random.key(0), 2))
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *inits)
    valid = splits()[1]
    assert len(valid.labels) % BATCH, "the last batch is not full"
    apply = jax.jit(jax.vmap(program().model.apply, (None, 0, 0)))
    one = jax.tree.map(lambda x: x[1], params)
    expected = np.mean(apply(one, valid.tokens, valid.lengths).argmax(-1) == valid.labels)
    assert program().accuracy(params, valid)[1] == pytest.approx(expected)


def test_dropout_is_drawn_anew_for_every_sequence_and_step():
    params = jax.jit(program(drop=0.5).model.init)(jax.random.key(0))
    row = jax.tree.map(lambda x: jnp.asarray(np.repeat(x[:1], 2, axis=0)), tuple(splits()[0].data))
    loss = jax.jit(lambda key: program(drop=0.5).loss(params, (0, row), key)[0])
    values = {float(loss(jax.random.key(seed))) for seed in range(3)}
    assert len(values) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [("slay", 256), ("favor_relu", 256), ("favor", 256), ("square", 36), ("window_square", 44),
     ("elu", 8), ("cosformer", 16), ("uniform", 1), ("softmax", None), ("yat", None)],
)  # fmt: skip
def test_features_of_a_head_of_dimension_8(name, expected):
    _, sizes = mixing.mechanism(name, 8, chunk=4, pairs=False, longest=T)
    assert cost.features(name, 8, sizes) == expected


def test_performer_gets_as_many_features_as_each_slay():
    def sizes(name):
        return mixing.mechanism(name, 8, chunk=4, pairs=True, longest=T)[1]

    assert sizes("favor_relu").features == 2 * 16 * 8
    assert sizes("slay_class").features == 1 * 8 * 64
    assert [sizes(n).chunk for n in ("window_square", "slay")] == [4, mixing.CHUNK]


def test_cost_counts_tokens_without_padding_and_the_weights_that_multiply():
    params = jax.jit(program().model.init)(jax.random.key(0))
    found = cost.cost(program(), params, splits()[0], batch=BATCH, peak=1e9, rounds=1)
    lengths = splits()[0].data.lengths
    tokens = lengths[:BATCH].sum() + lengths[256 : 256 + BATCH].sum()
    assert found.tokens_per_second * 2 * found.seconds_per_step == pytest.approx(tokens)
    weights = 8 * 24 + 8 * 8 + 2 * 8 * 8 + 8 * 8 + 8 * 2  # qkv, out, mlp, two of the head
    assert found.dense_share == pytest.approx(6 * weights * found.tokens_per_second / 1e9)
    assert found.tokens_per_second > 0 and found.temp_megabytes > 0


def test_learned_means_above_the_majority_beyond_the_seeds_scatter():
    assert lra.learned(np.array([0.30, 0.31, 0.29]), 0.2)
    assert not lra.learned(np.array([0.30, 0.21, 0.12]), 0.2)
    assert not lra.learned(np.array([0.2, 0.2]), 0.2)


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "paper"])
def test_every_scale_is_a_config_whose_steps_are_whole_rows(scale):
    cfg = config(scale)
    for task in lra_config.TASKS:
        sizes = config(scale, task=task).sizes
        assert sizes == getattr(cfg, task)
        assert sizes.training.steps % sizes.training.log_every == 0
    assert len(cfg.rates) == cfg.seeds, "one compiled program for both"


def test_the_paper_scale_is_the_benchmark_s():
    cfg = config("paper")
    m = cfg.listops.model
    assert (m.layers, m.width, m.qkv, m.heads, m.hidden, m.pool) == (4, 512, 512, 8, 1024, "cls")
    assert cfg.image.training.steps == 200 * 45000 // 256 // 175 * 175
    assert cfg.pathfinder.training.steps == 200 * 160000 // 512
    peaks = [0.05 / warmup**0.5 for warmup in (1000, 8000)] + [5e-4, 1e-3]
    assert all(min(cfg.rates) < peak < max(cfg.rates) for peak in peaks)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "listop"}, "no task 'listop': did you mean listops"),
        ({"attends": ["softmax", "sofmax"]}, "no attention 'sofmax': did you mean softmax"),
        ({"attends": ["slay", "slay"]}, "attends names one twice: slay, slay"),
        ({"ours": "hybird"}, "did you mean hybrid"),
        ({"text": {"model": {"heads": 3}}}, "model.qkv=32 is not a multiple of model.heads=3"),
        ({"text": {"training": {"batch": 10**6}}}, "training.batch=1000000 is more than"),
        ({"text": {"training": {"groups": 3}}}, "data.train=.* is not a multiple of training.gro"),
        ({"text": {"training": {"warmup": 10**6}}}, "training.warmup=1000000 is not below"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest_name(changes, message):
    with pytest.raises(ValidationError, match=message):
        config(**changes)


def test_one_attention_is_a_word_in_records():
    cfg = config(attends="softmax")
    assert cfg.attends == ["softmax"] and cfg.model_dump(mode="json")["attends"] == "softmax"
    assert config().model_dump(mode="json")["attends"] == config().attends


def test_the_path_of_the_data_is_no_part_of_the_question_but_its_use_is():
    assert "folder" not in config(folder="elsewhere").model_dump()
    assert "published" in config().model_dump()


def test_sweep_names_tasks_attentions_and_numbers_that_exist():
    named = yaml.safe_load((configs.CONFIGS / "sweep/slay_lra_table.yaml").read_text())
    swept = named["hydra"]["sweeper"]["params"]
    assert swept["task"].split(",") == list(lra_config.TASKS)
    assert set(swept["attends"].split(",")) <= set(lra_config.NAMES)
    assert set(named["table"]["rows"]) == {"task", "attends"}


def test_the_experiment_says_what_it_used(result):
    cfg = config("smoke")
    assert "ListOps" in result.notes["data"]
    assert result.notes["chance"] == dict.fromkeys(
        ["softmax/accuracy", "slay/accuracy"], float(result.arrays["majority"])
    )
    rates = result.notes["rates"]["slay"]
    assert list(rates["valid"]) == [str(rate) for rate in cfg.rates]
    assert rates["chosen"] == cfg.rates[int(np.argmax(list(rates["valid"].values())))]
    assert result.notes["features_a_head"] == {"slay": 256}
    assert result.notes["numbers_in_a_layer_s_state"] == {
        "softmax": "all keys",
        "slay": 2 * 256 * (8 + 1),
    }
    share = result.notes["tokens_not_padding"]
    assert 0 < share["padded_to_the_longest"] < share["in_groups"] < 1
    assert result.summary["tokens_not_padding"] == share["in_groups"]
    assert result.arrays["curves"].shape == (2, 2, 3, cfg.seeds)
    assert {judge(claim, result.summary).verdict for claim in lra.EXPERIMENT.claims} <= {
        "undecided",
        "not measured",
    }


def test_differences_are_those_of_the_same_seed(result):
    summary = result.summary
    expected = np.subtract(summary["slay/accuracy"], summary["softmax/accuracy"])
    np.testing.assert_array_equal(summary["slay_minus_softmax"], expected)
    measured = {name for name in summary if "_minus_" in name}
    assert measured == {"slay_minus_softmax"}
    every = {f"{a}_minus_{b}" for a, b in PAIRS}
    assert {claim.metric for claim in lra.EXPERIMENT.claims if "_minus_" in claim.metric} == every


def test_as_good_as_means_the_margin_of_the_figure():
    like = [claim for claim in lra.EXPERIMENT.claims if "_like_" in claim.name]
    assert len(like) == 3
    for claim in like:
        assert claim.low == -MARGIN and claim.high in (None, MARGIN)


def test_softmax_has_a_figure_of_its_attention(result):
    figures = lra_figures.figures(result)
    assert set(figures) == {"accuracy", "curves", "cost", "budget", "attention"}


def test_a_sweep_s_figures_need_two_tasks(result):
    other = result._replace(arrays=result.arrays | {"task": np.array("image")})
    assert sweep_figures.sweep_figures([(None, result)]) == {}
    figures = sweep_figures.sweep_figures([(None, result), (None, other)])
    assert set(figures) == {"lra_accuracy", "lra_cost", "lra_paired"}
    for figure in figures.values():
        figure.canvas.draw()


@pytest.mark.slow
def test_a_run_of_one_attention_has_the_plain_names_that_the_table_shows():
    cfg = config("smoke", attends="ssd", rates=[1e-3], seeds=1, listops={"training": {"steps": 6}})
    found = lra.EXPERIMENT.run(cfg, jax.random.key(0), silent_journal())
    named = yaml.safe_load((configs.CONFIGS / "sweep/slay_lra_table.yaml").read_text())
    assert set(named["table"]["show"]) - {"features"} <= set(found.summary)
    assert found.summary["accuracy"] == found.summary["ssd/accuracy"]
    assert found.summary["state"] == mixing.remembered(cfg, "ssd")[1]
    assert set(lra_figures.figures(found)) == {"accuracy", "curves", "cost", "budget"}
