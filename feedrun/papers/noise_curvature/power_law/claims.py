"""What the paper says of one layer, what follows from it, and what would undercut it.

Intervals are the paper's or were derived beforehand;
"much" is read as a factor ten, "well below" as a half and "about" as 0.05 either way where the
source gives no number. Claims about one loss are in `by_loss`.
"""

from feedrun.experiment import Claim
from feedrun.papers.noise_curvature import controls
from feedrun.papers.noise_curvature.power_law import by_loss

PAPER = (
    Claim(
        "noise_follows_second_moment",
        "C is proportional to E[h^2]: log-log slope 1",
        "Thm 3.4",
        "paper",
        "c_vs_e2",
        low=0.98,
        high=1.02,
    ),
    Claim(
        "noise_follows_second_moment_tightly",
        "C against E[h^2] is a line: R^2 at least 0.995",
        "Thm 3.4",
        "paper",
        "r2_c_vs_e2",
        low=0.995,
    ),
    Claim(
        "exponent_bounded",
        "the exponent of C against H lies between 1 and 2",
        "abstract",
        "paper",
        "gamma_emp",
        low=1,
        high=2,
    ),
    Claim(
        "predicted_exponent_bounded",
        "the exponent of E[h^2] against H lies between 1 and 2",
        "abstract",
        "paper",
        "gamma_e2",
        low=1,
        high=2,
    ),
    Claim(
        "exponent_predicted",
        "E[h^2] predicts the exponent of C within 0.02",
        "Table 1",
        "paper",
        "prediction_gap",
        low=-0.02,
        high=0.02,
    ),
    Claim(
        "power_law",
        "C against H is a power law: R^2 above 0.99",
        "Fig. 3",
        "paper",
        "r2_emp",
        low=0.99,
    ),
    Claim(
        "noise_is_not_fisher",
        "at interpolation the gradient covariance is far below the Hessian: traces under 0.1",
        "abstract",
        "paper",
        "noise_to_curvature",
        high=0.1,
    ),
    Claim(
        "commutes",
        "the commutator of C and H is below 0.3 of that of a random pair",
        "Fig. 1",
        "paper",
        "commutator_ratio_C",
        high=0.3,
    ),
    Claim(
        "second_moment_commutes",
        "the commutator of E[h^2] and H is below 0.3 of that of a random pair",
        "Fig. 1",
        "paper",
        "commutator_ratio_E2",
        high=0.3,
    ),
    Claim(
        "diagonal_dominates",
        "in the eigenbasis of H the diagonal carries over ten times a random basis's share of C",
        "Fig. 1",
        "paper",
        "diagonal_energy_ratio_C",
        low=10,
    ),
    Claim(
        "directions_decouple",
        "the mean coupling |R_ij| of C is below half that of a random basis",
        "Fig. 1",
        "paper",
        "coherence_ratio_C",
        high=0.5,
    ),
)

DERIVED = (
    Claim(
        "sandwich",
        "H_ii^2 <= E[h^2]_ii <= kap_max H_ii in every direction",
        "Cauchy-Schwarz and Jensen",
        "derived",
        "sandwich_slack",
        low=1,
    ),
    Claim(
        "fisher_is_curvature",
        "with labels drawn from the model the Fisher matrix equals H in every direction",
        "Bartlett identity",
        "derived",
        "fisher_error",
        high=1e-6,
    ),
    Claim(
        "crossfit_exponent_bounded",
        "the bounds 1 and 2 also hold when basis and diagonals come from different samples",
        "the bounds, on other samples",
        "derived",
        "gamma_emp_crossfit",
        low=1,
        high=2,
    ),
    Claim(
        "crossfit_noise_follows_second_moment",
        "C against E[h^2] keeps slope 1 when basis and diagonals come from different samples",
        "Thm 3.4, on other samples",
        "derived",
        "c_vs_e2_crossfit",
        low=0.98,
        high=1.02,
    ),
)

RIVAL = (
    Claim(
        "crossfit_lowers_exponent",
        "from equally many samples the in-sample exponent is the larger one",
        "the sample chooses its eigenvectors",
        "rival",
        "gamma_excess",
        low=0,
    ),
    Claim(
        "exponent_falls_with_samples",
        "at fixed weights the in-sample exponent falls as more samples are measured",
        "the sample chooses its eigenvectors",
        "rival",
        "gamma_per_tenfold",
        high=0,
    ),
)

CLAIMS = by_loss.STATE + PAPER + by_loss.CLAIMS + DERIVED + controls.CLAIMS + by_loss.RIVAL + RIVAL
