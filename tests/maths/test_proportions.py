"""Exact binomial intervals."""

import numpy as np
import pytest
from scipy.stats import binomtest

from feedrun.maths.proportions import clopper_pearson


@pytest.mark.parametrize("successes, trials", [(0, 4), (1, 1), (37, 100), (100, 100)])
def test_interval_equals_scipys_exact_binomial_interval(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(method="exact")
    np.testing.assert_allclose(clopper_pearson(successes, trials), expected, rtol=1e-10)


def test_more_successes_than_trials_are_refused():
    with pytest.raises(ValueError, match="5 successes in 4 trials"):
        clopper_pearson(5, 4)
