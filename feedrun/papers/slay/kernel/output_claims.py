"""The claims of slay_kernel on outputs of attention; on their thresholds see kernel_claims."""

from feedrun.experiment import Claim

FIDELITY = (
    Claim(
        "limit_misses",
        "the error of SLAY does not vanish with its budgets: on Gaussian data it tends to .738",
        "limit of the features",
        "rival",
        "yat_error_gaussian_anchor_limit",
        low=0.728,
        high=0.748,
    ),
    *(
        Claim(
            f"uniform_ties_{data}",
            f"the mean of all values is as near to exact attention as SLAY is, {data} data: "
            "error of SLAY less that of uniform attention",
            "control",
            "rival",
            f"slay_less_uniform_{data}",
            low=0.0,
        )
        for data in ("gaussian", "correlated")
    ),
    Claim(
        "closest_to_softmax",
        "SLAY is the closest linear approximation of softmax: its error less that of Performer "
        "(ReLU) with as many features, Gaussian data",
        "abstract",
        "paper",
        "slay_less_performer",
        high=0.0,
    ),
)


BY_NODES = (
    Claim(
        "nodes_do_not_help",
        "at equal R D more nodes do not help: error of the best R > 1 less that of R = 1, least "
        "over R D, Gaussian data",
        "variance of the features",
        "rival",
        "best_of_more_nodes",
        low=0.0,
    ),
    Claim(
        "node_errors",
        "errors of exact x^2 times features by R and R D, Gaussian data: largest difference from "
        "those measured beforehand",
        "measured beforehand",
        "rival",
        "nodes_gaussian_difference",
        high=0.03,
    ),
    Claim(
        "node_errors_correlated",
        "the same on correlated data",
        "measured beforehand",
        "rival",
        "nodes_correlated_difference",
        high=0.03,
    ),
    Claim(
        "one_node_errors",
        "the same of R = 1 with 16, 32, 64 and 256 features, Gaussian data",
        "measured beforehand",
        "rival",
        "one_node_difference",
        high=0.03,
    ),
    Claim(
        "square_alone",
        "x^2 without any exponential has error .22 on Gaussian data",
        "measured beforehand",
        "rival",
        "yat_error_gaussian_square",
        low=0.19,
        high=0.25,
    ),
    Claim(
        "few_features_hurt",
        "with 32 features on one node the error is above that of x^2 alone: difference",
        "variance of the features",
        "rival",
        "exponentials_32_less_square",
        low=0.0,
    ),
    Claim(
        "many_features_pay",
        "with 256 it is below: difference",
        "variance of the features",
        "derived",
        "exponentials_256_less_square",
        high=0.0,
    ),
)


ABLATION = {"small": 0.66, "medium": 0.56, "large": 0.50}

LAYER = tuple(
    claim
    for size, error in ABLATION.items()
    for claim in (
        Claim(
            f"ablation_{size}",
            f"the paper's ablation: relative error {error:.2f} with anchors, {size}",
            "ablation table",
            "paper",
            f"ablation_{size}_slay",
            low=error - 0.02,
            high=error + 0.02,
        ),
        Claim(
            f"ablation_uniform_{size}",
            f"there uniform attention beats or ties SLAY, {size}: error of SLAY less its error",
            "control",
            "rival",
            f"ablation_{size}_slay_less_uniform",
            low=0.0,
        ),
    )
)

CLAIMS = (*FIDELITY, *BY_NODES, *LAYER)
