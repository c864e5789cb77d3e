"""slay_kernel end to end at its smoke size: claims, figures, a killed run, a table that grows."""

import jax
import numpy as np
import pytest
from pydantic import ValidationError

from feedrun.analysis import published
from feedrun.experiment import judge, silent_journal
from feedrun.papers.slay.kernel import ablation, identities
from feedrun.papers.slay.kernel.experiment import EXPERIMENT, outputs, table_rows
from tests.configs import config

EXACT = (
    "integral_form",
    "signed_integral",
    "kernel_floor",
    "kernel_peak",
    "gradient_bound",
    "kernel_definite",
    "features_definite",
    "one_sided",
    "node_rate",
    "quadrature_figure",
    "peak_missing",
    "anchor_design",
    "needle_yat",
    "needle_quadrature",
    "needle_anchor_limit",
    "needle_softmax",
    "scores_nonnegative",
)


def sizes(**changes):
    return config("slay_kernel", "smoke", **changes)


@pytest.fixture
def result(smoke):
    return smoke("slay_kernel").result


def test_exact_claims_hold_at_any_size(result):
    verdicts = {claim.name: judge(claim, result.summary).verdict for claim in EXPERIMENT.claims}
    assert {name: verdicts[name] for name in EXACT} == dict.fromkeys(EXACT, "holds")


def test_repeats_are_one_number_a_seed(result):
    assert len(result.summary["yat_error_gaussian_slay"]) == 3
    assert len(result.summary["ablation_small_slay_less_uniform"]) == 3
    less = result.summary["slay_less_uniform_gaussian"]
    rows = [result.summary[f"yat_error_gaussian_{name}"] for name in ("slay", "uniform")]
    np.testing.assert_allclose(less, np.subtract(*rows), rtol=1e-12)


def test_every_part_has_its_figure(result):
    figures = EXPERIMENT.figures(result)
    names = {"kernel", "bias_and_noise", "needle", "fidelity", "budgets", "nodes", "ablation"}
    assert set(figures) == names


@pytest.mark.slow
def test_another_row_in_the_yaml_changes_no_other_number(result):
    few = sizes(fidelity={"mechanisms": ["hybrid", "uniform"], "swept": ["slay"]})
    assert [row.label for row in table_rows(few)] == ["hybrid", "uniform", "slay", "slay_m16"]
    key = jax.random.split(jax.random.key(0), 7)[4]
    summary, _ = outputs(few, key, silent_journal(), lambda: None)
    for label in ("uniform", "slay", "slay_m16"):
        name = f"softmax_cosine_correlated_{label}"
        np.testing.assert_array_equal(summary[name], result.summary[name])


@pytest.mark.parametrize("part", ["fidelity", "ablation", "signs", "selectivity"])
def test_an_unknown_mechanism_is_one_clear_error(part):
    with pytest.raises(ValidationError, match=r"no mechanism.* 'slya': did you mean slay"):
        sizes(**{part: {"mechanisms": ["slya"]}})


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("ablation", {"heads": 3}, "embed 16 is not a multiple of heads 3"),
        ("nodes", {"nodes": [1, 17]}, "16 features are too few for 17 nodes"),
        ("sampling", {"orthogonal_draws": [1, 2]}, "1 orthogonal_dimensions, 2 draws"),
        ("sampling", {"orthogonal_draws": [23]}, "3 parts too few blocks"),
    ],
)
def test_sizes_that_do_not_fit_are_one_clear_error(part, change, message):
    with pytest.raises(ValidationError, match=message):
        sizes(**{part: change})


def test_a_signed_estimate_has_no_entropy():
    with pytest.raises(ValidationError, match="no mechanism without negative scores"):
        sizes(selectivity={"mechanisms": ["slay_maclaurin"]})


class Killed(Exception):
    """Stands for kill -9."""


def disk(store, *, scope="", kill=None):
    """A journal with checkpoints in a dict, one a scope; dies right after `kill`'s first save."""

    def save(step, state, final=False):
        store[scope] = step, np.array(state)
        if scope == kill:
            raise Killed
        return True

    return silent_journal()._replace(
        save=save,
        restore=lambda like: store.get(scope),
        scope=lambda name: disk(store, scope=name, kill=kill),
    )


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_identical_result(result):
    store = {}
    with pytest.raises(Killed):
        EXPERIMENT.run(sizes(), jax.random.key(0), disk(store, kill="nodes"))
    assert store["nodes"][0] == 1 and store["fidelity"][0] == 5
    resumed = EXPERIMENT.run(sizes(), jax.random.key(0), disk(store))
    assert resumed.summary == result.summary


def test_published_numbers_in_code_and_yaml_are_the_same():
    numbers = [n for n in published.published("slay").all() if n.experiment == "slay_kernel"]
    printed = {(n.metric, n.source): n.value for n in numbers}
    for name, values in ablation.PUBLISHED.items():
        for size, value in zip(("small", "medium", "large"), values, strict=True):
            source = "ablation table of the appendix"
            assert printed[f"ablation_{size}_{name}", source] == value
    for R, value in identities.PUBLISHED_QUADRATURE.items():
        found = [v for (metric, _), v in printed.items() if metric == f"quadrature_error_{R}"]
        assert found == [value]
