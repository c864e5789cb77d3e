"""Claims of icl_oracles on risks: the separation, longer contexts, symbols.

For thresholds see `checks_claims`.
"""

from feedrun.experiment import Claim

SEPARATION = (
    Claim(
        "separation_0",
        "CNR, rho = 0, 80 pairs: best proper risk over Bayes risk is 1",
        "no correlation, nothing to gain",
        "derived",
        "separation_0",
        low=0.99,
        high=1.01,
    ),
    Claim(
        "separation_05",
        "CNR, rho = 0.5, 80 pairs: best proper risk over Bayes risk is 1.30",
        "Theorem 2",
        "paper",
        "separation_0.5",
        low=1.29,
        high=1.31,
    ),
    Claim(
        "separation_09",
        "CNR, rho = 0.9, 80 pairs: best proper risk over Bayes risk is 4.96",
        "Theorem 2",
        "paper",
        "separation_0.9",
        low=4.91,
        high=5.01,
    ),
    Claim(
        "gap_identity",
        "best proper risk less Bayes risk is rho^2 (sigma^2 - E x_n.P x_n): largest error over rho",
        "Theorem 2",
        "derived",
        "gap_identity_error",
        high=1e-3,
    ),
    Claim(
        "cnr_table",
        "CNR: risks of Bayes, best proper, ridge, least squares on lags and Bayes with unknown "
        "rho equal the reference table: largest z",
        "table computed beforehand",
        "derived",
        "cnr_table_z",
        high=3,
    ),
    Claim(
        "lags_40",
        "rival: empirical risk minimisation with lags comes within 1.35 of Bayes at 40 pairs",
        "a richer hypothesis class",
        "rival",
        "arx_40",
        high=1.35,
    ),
    Claim(
        "lags_80",
        "rival: and within 1.12 at 80 pairs, so the gap is about the hypothesis class",
        "a richer hypothesis class",
        "rival",
        "arx_80",
        high=1.12,
    ),
    Claim(
        "rho_does_not_matter",
        "least squares, ridge and one gradient step have the same risk at rho = 0 and 0.9: "
        "largest |z|, with least squares against its closed form",
        "regressors are independent",
        "derived",
        "rho_invariance_z",
        high=3,
    ),
    Claim(
        "efficiency",
        "variance of least squares over generalised least squares at n = 400, rho = 0.9, over "
        "(1 + rho^2) / (1 - rho^2)",
        "asymptotic variances",
        "derived",
        "efficiency",
        low=0.95,
        high=1.05,
    ),
    Claim(
        "placebo",
        "rho = 0: lags do not help ridge",
        "no correlation, nothing to gain",
        "derived",
        "placebo_lags",
        low=0,
    ),
)

CONTEXT = (
    Claim(
        "static_ridge_turns",
        "DR, a = 0.99: static ridge is worse with the whole context than with 20 pairs",
        "weights that drift",
        "derived",
        "ridge_turn",
        low=0,
    ),
    Claim(
        "kalman_is_flat",
        "DR, a = 0.99: the filter's risk does not rise from 40 pairs on by more than 0.01",
        "steady state of the filter",
        "derived",
        "kalman_rise",
        high=0.01,
    ),
    Claim(
        "dr_table",
        "DR: risks of the filter and of static ridge equal the reference table: largest z",
        "table computed beforehand",
        "derived",
        "dr_table_z",
        high=3,
    ),
    Claim(
        "order_blind_table",
        "best linear predictors that do not see the order equal the reference table, which "
        "prints three digits",
        "table computed beforehand",
        "derived",
        "order_blind_error",
        high=1e-3,
    ),
    Claim(
        "control_rarely_explodes",
        "ARc: the share of sequences dropped is of order 1e-3",
        "measured beforehand",
        "derived",
        "ar_dropped",
        high=0.01,
    ),
    Claim(
        "markov_rate_2",
        "MC, 2 symbols: t KL / (V (V - 1) / 2) is near 1 (0.97 at 512)",
        "price of the parameters",
        "derived",
        "markov_rate_2",
        low=0.94,
        high=1.0,
    ),
    Claim(
        "markov_rate_3",
        "MC, 3 symbols: the same",
        "price of the parameters",
        "derived",
        "markov_rate_3",
        low=0.94,
        high=1.0,
    ),
    Claim(
        "markov_table",
        "MC: KL of the Bayes predictor to the truth equals the reference table: largest z",
        "table computed beforehand",
        "derived",
        "markov_table_z",
        high=3,
    ),
    Claim(
        "inflated_filter_is_beaten",
        "LG-MOP, coloured noise: the published line, a filter with inflated white noise, has a "
        "higher risk than the filter that carries the noise: ratio",
        "a filter of the wrong model",
        "derived",
        "inflated_ratio",
        low=1,
    ),
)
