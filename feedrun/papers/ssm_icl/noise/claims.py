"""The claims of icl_noise: the paper's separation, and what else could make it.

Thresholds were written before any run: the floor of proper predictors is the
noise's variance 0.25, one layer of linear attention may be off its closed form by 5%. Guesses
are called so. That differences between arms are above 0 is what the paper
says (or its rival denies). None was set or moved after a trial.
"""

from feedrun.experiment import Claim
from feedrun.papers.ssm_icl.arms.results import LEAKS
from feedrun.papers.ssm_icl.families.regression import NOISE

SEPARATION = (
    Claim(
        "ssm_below_proper",
        "CNR, rho = 0.9, 40 pairs: the selective SSM's risk is below that of every proper "
        "estimator, 0.25",
        "Theorem 2",
        "paper",
        "coloured/ssd+conv/risk_40",
        high=NOISE,
    ),
    Claim(
        "ssm_reaches_target",
        "and at most 0.08 (a guess)",
        "a guess",
        "derived",
        "coloured/ssd+conv/risk_40",
        high=0.08,
    ),
    Claim(
        "softmax_below_proper",
        "rival: so is that of a softmax Transformer, which then is no implicit proper ERM",
        "attention of several layers",
        "rival",
        "coloured/softmax+rope/risk_40",
        high=NOISE,
    ),
    Claim(
        "linear_below_proper",
        "rival: a linear Transformer's risk is below 0.25 as well",
        "attention of several layers",
        "rival",
        "coloured/linear+rope/risk_40",
        high=NOISE,
    ),
    Claim(
        "one_layer_above_proper",
        "one layer of linear attention without lags, trained at 40 pairs, stays above 0.25",
        "best single gradient step",
        "derived",
        "theory/risk_40",
        low=NOISE,
    ),
    Claim(
        "one_layer_is_one_step",
        "and its risk is that of the best single gradient step: ratio",
        "best single gradient step",
        "derived",
        "theory/over_best",
        low=0.95,
        high=1.05,
    ),
    Claim(
        "ssm_below_softmax",
        "CNR, rho = 0.9, 40 pairs: the softmax Transformer's risk is above the selective SSM's",
        "Theorem 2",
        "paper",
        "coloured/gap/softmax+rope_minus_ssd+conv",
        low=0,
    ),
    Claim(
        "ssm_below_linear",
        "and so is the linear Transformer's",
        "Theorem 2",
        "paper",
        "coloured/gap/linear+rope_minus_ssd+conv",
        low=0,
    ),
    Claim(
        "noise_separates_softmax",
        "the correlation widens that gap: softmax Transformer less selective SSM, at rho = 0.9 "
        "less at rho = 0",
        "Theorem 2",
        "paper",
        "separation/softmax+rope",
        low=0,
    ),
    Claim(
        "noise_separates_linear",
        "and so with the linear Transformer",
        "Theorem 2",
        "paper",
        "separation/linear+rope",
        low=0,
    ),
    Claim(
        "selection_is_special",
        "a time-invariant SSM risks more than the selective one",
        "Theorem 2",
        "paper",
        "coloured/gap/s4d+conv_minus_ssd+conv",
        low=0,
    ),
    Claim(
        "format_decides",
        "rival: where x_{t-1} has to be paired with y_{t-1}, the softmax Transformer falls behind "
        "the SSM with its short convolution: gap, less that where lags are given",
        "a pilot run",
        "rival",
        "format/softmax+rope",
        low=0,
    ),
    Claim(
        "unknown_correlation",
        "rival: a softmax Transformer that has to infer rho is below 0.25 at rho = 0.9 as well",
        "attention of several layers",
        "rival",
        "mixed/softmax+rope/risk_40_at_0.9",
        high=NOISE,
    ),
)

PLACEBO = (
    Claim(
        "placebo",
        "CNR, rho = 0: no arm gains from lags, none is below ridge: least z over arms and seeds",
        "no correlation, nothing to gain",
        "derived",
        "placebo/ridge_z",
        low=-3,
    ),
    Claim(
        "placebo_anywhere",
        "the same at the position where it is least",
        "no correlation, nothing to gain",
        "derived",
        "placebo/ridge_position_z",
        low=-4.5,
    ),
    Claim(
        "control_is_ridge",
        "ARc: none is below ridge: least z over arms and seeds",
        "ridge is Bayes there",
        "derived",
        "control/ridge_z",
        low=-3,
    ),
    Claim(
        "control_separates_nothing",
        "rival: ARc: selective SSM and Transformer, both with a short convolution, do equally well "
        "(a guess, at convergence): p of the paired difference",
        "ridge is Bayes there",
        "rival",
        "control/p",
        low=0.05,
    ),
)

DRIFT = (
    Claim(
        "ssm_uses_context",
        "DR, a = 0.99: the selective SSM's risk after 128 pairs is above that after 40 by at most "
        "0.01",
        "abstract",
        "paper",
        "drifting_0.99/ssd+conv/rise",
        high=0.01,
    ),
    Claim(
        "softmax_uses_context",
        "rival: so is the softmax Transformer's, with positions",
        "a filter forgets",
        "rival",
        "drifting_0.99/softmax+rope/rise",
        high=0.01,
    ),
    Claim(
        "no_decay_loses_context",
        "the same layer without decay does worse than that (a guess)",
        "a filter forgets",
        "derived",
        "drifting_0.99/s_none+conv/rise",
        low=0.01,
    ),
)

CLAIMS = (*SEPARATION, *PLACEBO, *DRIFT, *LEAKS)
