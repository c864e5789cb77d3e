"""slay_lm: text, windows and n-grams, decoding from a state, and the whole at smoke size."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from feedrun.maths.attention import softmax_attention
from feedrun.models.decoder import standard
from feedrun.papers.slay import throughput
from feedrun.papers.slay.attention.mechanisms import DELTA, windows
from feedrun.papers.slay.decoders import generate, training
from feedrun.papers.slay.decoders.training import Mechanism
from feedrun.papers.slay.lm.windows import NextByte, Windows, bigram, nats, unigram
from feedrun.tasks import docstrings
from tests.configs import config

pytestmark = pytest.mark.slow  # what it compiles takes a minute where nothing is cached

BUDGET: Any = {"features": 8, "nodes": 2, "prf": 4, "poly": 4, "eps": 1e-3, "chunk": 4}
NET: Any = {
    "vocabulary": 256,
    "width": 8,
    "heads": 2,
    "layers": 2,
    "places": "learned",
    "length": 24,
}


def text(seed, size=4000):
    """Bytes of a Markov chain: each letter is followed by one of two."""
    steps = np.random.default_rng(seed).integers(1, 3, size)
    return (97 + np.cumsum(steps) % 20).astype(np.uint8)


def test_strings_are_found_without_running_the_module():
    source = (
        b'"""Top."""\nraise SystemExit\nclass A:\n    """In A."""\n    def f(self):\n        "f."\n'
    )
    assert docstrings.strings(source) == ["Top.", "In A.", "f."]


def test_parts_are_whole_documents_and_what_occurs_twice_is_read_once(tmp_path, monkeypatch):
    (tmp_path / "booklet/tests").mkdir(parents=True)
    for n in range(60):
        own, shared = f"Unique {n:02d}. " * 30, "Said again and again. " * 20
        text = f'"""{own}"""\ndef f():\n    """{shared}"""\n'
        (tmp_path / f"booklet/part{n:02d}.py").write_text(text)
    (tmp_path / "booklet/tests/test_it.py").write_text('"""' + "Unread. " * 50 + '"""')
    (tmp_path / "booklet/__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(docstrings, "_version", lambda package: "1.0")
    first, again = docstrings.load(["booklet"]), docstrings.load(["booklet"])
    texts = {part: getattr(first, part).tobytes().decode() for part in docstrings.PARTS}
    whole = "".join(texts.values())
    assert whole.count("Said again") == 20 and "Unread" not in whole
    for n in range(60):
        where = docstrings.part_of(f"booklet/part{n:02d}.py")
        assert [part for part, text in texts.items() if f"Unique {n:02d}." in text] == [where]
    assert first.notes == again.notes and str(tmp_path) not in str(first.notes)
    assert first.notes["bytes"] == {part: len(text) for part, text in texts.items()}


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no package 'no_such_package' is installed here"):
        docstrings.load(["no_such_package"])


def test_windows_are_pieces_of_the_text():
    data = text(0)
    windows = Windows(8, 16)
    drawn = np.asarray(windows(jnp.asarray(data), jax.random.key(0)))
    whole = data.tobytes()
    assert drawn.shape == (8, 17) and all(bytes(row.tolist()) in whole for row in drawn)
    with pytest.raises(ValueError, match="16 bytes has no window of 17"):
        windows.stream(data[:16])


def test_ngrams_reach_the_entropies_of_a_chain():
    train, test = text(0, 2**17), text(1, 2**15)
    assert unigram(train, test) == pytest.approx(np.log(20), abs=0.01)
    assert bigram(train, test) == pytest.approx(np.log(2), abs=0.01)


def test_test_loss_is_the_mean_over_windows_that_do_not_overlap():
    decoder = standard(**NET)
    draw = training.drawing(Mechanism(attend="softmax", **BUDGET), layers=2, heads=2, dimension=4)
    params = training.starts(jax.random.split(jax.random.key(0), 2), decoder, draw)
    data, loss = text(2, 16 * 24 + 1), NextByte(decoder)
    found = nats(loss, params, data, context=24, most=1000)
    for r in range(2):
        one = jax.tree.map(lambda leaf, r=r: leaf[r], params)
        expected = []
        for i in range(16):
            window = jnp.asarray(data[24 * i : 24 * i + 25], int)
            logits = jax.nn.log_softmax(training.logits(decoder, one, window[:-1]))
            expected += [-logits[t, window[t + 1]] for t in range(24)]
        assert found[r] == pytest.approx(float(np.mean(expected)), rel=1e-5)
    with pytest.raises(ValueError, match="fewer than 16 windows of 24"):
        nats(loss, params, data[:100], context=24, most=1000)


@pytest.mark.parametrize("name", ["slay", "favor_relu", "square", "elu", "hybrid", "window_square"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_text_from_the_state_is_the_text_of_the_parallel_form(name, temperature):
    mechanism = Mechanism(attend=name, **BUDGET)
    parallel = standard(**NET)
    streaming = standard(**NET, mix=generate.recurrent(DELTA))
    draw = training.drawing(mechanism, layers=2, heads=2, dimension=4)
    params = training.starts(jax.random.split(jax.random.key(4), 1), parallel, draw)
    # In float64 and far from the start, so that no two bytes are nearly as likely.
    params = jax.tree.map(lambda x: 3 * x[0].astype(float), params["net"]), params["drawn"]
    net, drawn = params[0], jax.tree.map(lambda x: x[0].astype(float), params[1])
    kernels = generate.kernel_of(drawn)
    sizing = {"chunk": 4, "window": windows(name, mechanism.sizes)}
    memory = generate.empty(kernels, layers=2, heads=2, dimension=4, **sizing)
    prompt = jnp.asarray([80, 97, 114])
    options: Any = {"length": 24}
    given = (jax.random.key(5), temperature)
    said = generate.stream(*given, net, memory, prompt, decoder=streaming, **options)
    given = (jax.random.key(5), temperature)
    again = generate.rerun(*given, net, drawn, prompt, decoder=parallel, **options)
    np.testing.assert_array_equal(said, again)
    assert said[:3].tolist() == [80, 97, 114] and len(set(said[3:].tolist())) > 2


def test_softmax_has_no_state_of_fixed_size():
    with pytest.raises(ValueError, match="only attention by a kernel"):
        generate.kernel_of(jax.tree_util.Partial(softmax_attention))


def test_decoder_logits_ignore_the_future_and_start_anywhere():
    decoder = standard(**NET)
    draw = training.drawing(Mechanism(attend="slay", **BUDGET), layers=2, heads=2, dimension=4)
    params = training.starts(jax.random.split(jax.random.key(0), 1), decoder, draw)
    one = jax.tree.map(lambda leaf: leaf[0], params)
    tokens = jnp.arange(40, 52)
    whole = training.logits(decoder, one, tokens)
    np.testing.assert_array_equal(whole[:7], training.logits(decoder, one, tokens.at[7].set(0))[:7])
    np.testing.assert_allclose(whole[:5], training.logits(decoder, one, tokens[:5]), atol=1e-5)
    moved = decoder.apply(one["net"], one["drawn"], tokens[:1], 3)[0]
    assert jnp.abs(moved - whole[:1]).max() > 1e-3
    with pytest.raises(ValueError, match="got 25 tokens, the model has 24 positions"):
        training.logits(decoder, one, jnp.zeros(25, int))


def whole(mechanism, **options):
    """(loss(params, windows) under jit, params in float32, windows) of a small decoder."""
    decoder = standard(**NET, **options)
    draw = training.drawing(Mechanism(attend=mechanism, **BUDGET), layers=2, heads=2, dimension=4)
    params = training.starts(jax.random.split(jax.random.key(0), 1), decoder, draw)
    params = jax.tree.map(lambda leaf: leaf[0].astype(jnp.float32), params)
    windows = jnp.asarray(text(3)[:100].reshape(4, 25), jnp.int32)
    return NextByte(decoder).losses, params, windows


@pytest.mark.parametrize("mechanism", ["softmax", "window_square"])
def test_bfloat16_loss_is_near_that_of_float32_and_itself_float32(mechanism):
    losses, params, windows = whole(mechanism)
    low = jax.jit(whole(mechanism, dtype=jnp.bfloat16)[0])(params, windows)
    full = jax.jit(losses)(params, windows)
    assert low.dtype == full.dtype == jnp.float32 and (low != full).any()
    np.testing.assert_allclose(low, full, atol=0.1)  # 8 bits of mantissa, two blocks
    assert low.mean() == pytest.approx(float(full.mean()), rel=5e-3)


@pytest.mark.parametrize("mechanism", ["softmax", "slay"])
def test_remat_computes_blocks_anew_and_changes_no_gradient(mechanism):
    def gradient(remat):
        losses, params, windows = whole(mechanism, remat=remat)
        mean = jax.grad(lambda net: losses(params | {"net": net}, windows).mean())
        return mean, params["net"]

    (kept, net), (anew, same) = gradient(False), gradient(True)
    assert jax.tree.structure(net) == jax.tree.structure(same)
    texts = [str(jax.make_jaxpr(g)(net)) for g in (kept, anew)]
    assert ["remat" in text or "checkpoint" in text for text in texts] == [False, True]
    both = (jax.jit(g)(net) for g in (kept, anew))
    close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)  # float32, another order
    jax.tree.map(close, *both)


def test_weights_that_tokens_are_multiplied_with_are_those_of_matrices():
    net = whole("softmax")[1]["net"]
    blocks, logits = 2 * (3 + 1 + 4 + 4) * 8**2, 8 * 256
    assert throughput.dense_share(net, 10.0, 1e6) == pytest.approx(60 * (blocks + logits) / 1e6)


def test_speed_is_the_median_over_rows():
    rows = [throughput.Row(t, {}) for t in (0.0, 9.0, 11.0, 13.0)]
    assert throughput.tokens_per_second(rows, tokens=100) == 50
    assert throughput.tokens_per_second(rows[:1], tokens=100) is None


def test_sizes_of_decoders_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="width 9 is not a multiple of heads 2"):
        standard(**NET | {"width": 9})
    with pytest.raises(ValueError, match='"learned" places need a length'):
        standard(**NET | {"places": "previous"})


def test_a_smoke_run_says_what_was_read(smoke):
    result = smoke("slay_lm").result
    np.testing.assert_allclose(
        result.summary["perplexity_ours"], np.exp(result.summary["loss_ours"])
    )
    assert result.summary["loss_bigram"] < result.summary["loss_unigram"] < np.log(256)
    assert result.notes["data"]["packages"].keys() == {"optax"}
    assert result.notes["sample"]["text"].startswith("Compute the ")
    assert result.notes["tokens_a_run"] == 4 * 4 * 32
    assert 0 < result.summary["peak_share_ours"] < 1 < result.summary["tokens_per_second_ours"]


def test_every_scale_is_complete_and_wrong_ones_are_refused():
    for scale in ("smoke", "laptop", "gpu", "paper"):
        config("slay_lm", scale)
    with pytest.raises(ValueError, match="sampled 'softmax' has no state of fixed size"):
        config("slay_lm", sampled="softmax")
    with pytest.raises(ValueError, match="sampled 'elu' is not among those compared"):
        config("slay_lm", sampled="elu")
    with pytest.raises(ValueError, match="at most the context 128, got 500"):
        config("slay_lm", sample_bytes=500)
