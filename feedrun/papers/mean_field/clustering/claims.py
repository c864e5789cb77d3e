"""The claims of particles_clustering: structure, rates and collapse of the token flows.

Thresholds were written before any measurement.
"""

from feedrun.experiment import Claim

STRUCTURE = (
    Claim(
        "norms_kept",
        "tokens stay on the sphere: | |x_i| - 1 | after every step",
        "the flow stays on the sphere",
        "derived",
        "norm_error",
        high=1e-14,
    ),
    Claim(
        "energy_rises_sa",
        "SA never lowers the energy: largest relative fall of Ehat in one RK4 step of 0.02",
        "gradient flow of the energy",
        "paper",
        "energy_drop_sa",
        high=1e-13,
    ),
    Claim(
        "energy_rises_usa",
        "USA never lowers the energy: the same in slowed time e^beta t",
        "gradient flow of the energy",
        "paper",
        "energy_drop_usa",
        high=1e-13,
    ),
    Claim(
        "energy_balance_sa",
        "SA gains exactly what it dissipates: E(T) - E(0) = int sum alpha Zbar |dx/dt|^2",
        "gradient flow of the energy",
        "derived",
        "balance_error_sa",
        high=1e-8,
    ),
    Claim(
        "energy_balance_usa",
        "USA gains exactly what it dissipates: E(T) - E(0) = int sum alpha |dx/dt|^2",
        "gradient flow of the energy",
        "derived",
        "balance_error_usa",
        high=1e-8,
    ),
    Claim(
        "equivariance",
        "rotating or relabelling the tokens commutes with the flow",
        "symmetry of the flow",
        "derived",
        "equivariance_error",
        high=1e-12,
    ),
    Claim(
        "blocked_field",
        "the field streamed over blocks equals the dense field",
        "the same sum in another order",
        "derived",
        "blocked_error",
        high=1e-13,
    ),
    Claim(
        "fourier_field",
        "on the circle the Fourier field equals the pair sum",
        "Fourier series of the kernel",
        "derived",
        "fourier_error",
        high=1e-14,
    ),
    Claim(
        "usa_time_change",
        "shifted USA is USA with time slowed by e^beta",
        "definition of the shifted flow",
        "derived",
        "time_change_error",
        high=1e-12,
    ),
    Claim(
        "euler_order",
        "projected Euler (a discrete layer) converges at order 1",
        "order of the method",
        "derived",
        "order_euler",
        low=0.95,
        high=1.05,
    ),
    Claim(
        "rk4_order",
        "RK4 with retraction converges at order 4",
        "order of the method",
        "derived",
        "order_rk4",
        low=3.9,
        high=4.1,
    ),
    Claim(
        "repulsion_control",
        "negative control: with V = -I the energy falls",
        "the gradient flow reversed",
        "derived",
        "energy_change_repulsive",
        high=0.0,
    ),
    Claim(
        "energy_rises_anyway",
        "the energy also rises for a random non-symmetric Q^T K, gradient flow or not",
        "no gradient flow",
        "rival",
        "energy_drop_asymmetric",
        high=1e-13,
    ),
    Claim(
        "antipodal_exception",
        "two antipodal clusters of masses 2/3 and 1/3 do not move",
        "Thm 1, exception",
        "paper",
        "antipodal_speed",
        high=1e-14,
    ),
)

RATES = (
    Claim(
        "equiangular_sa",
        "n orthonormal tokens under SA follow the scalar ODE of the equiangular model",
        "sec. 6",
        "paper",
        "equiangular_error_sa",
        high=1e-9,
    ),
    Claim(
        "equiangular_usa",
        "n orthonormal tokens under USA follow the scalar ODE of the equiangular model",
        "sec. 6",
        "paper",
        "equiangular_error_usa",
        high=1e-9,
    ),
    Claim(
        "rate_sa",
        "near consensus |x_i - x_j|^2 decays like e^{-2t} under SA (rate / 2)",
        "sec. 6, at consensus",
        "paper",
        "rate_sa",
        low=0.99,
        high=1.01,
    ),
    Claim(
        "rate_usa",
        "near consensus |x_i - x_j|^2 decays like e^{-2 e^beta t} under USA (rate / 2 e^beta)",
        "sec. 6, at consensus",
        "paper",
        "rate_usa",
        low=0.99,
        high=1.01,
    ),
    Claim(
        "hemisphere_kept",
        "from a hemisphere around w, min <x_i,w> never falls (largest fall in one step)",
        "Thm 3",
        "paper",
        "height_drop",
        high=1e-13,
    ),
    Claim(
        "cone_rate",
        "once min <x_i,x*> > 1/2, SA closes in at least as fast as 1/(2 n e^{2 beta}) (ratio)",
        "Thm 3",
        "paper",
        "cone_rate_ratio",
        low=1.0,
    ),
)


def _collapse(flow: str, beta: int) -> Claim:
    return Claim(
        f"collapse_{flow}_beta_{beta}",
        f"almost every start collapses under {flow.upper()} at beta = {beta}: "
        "fraction that reaches max |x_i - x_j| < 1e-6",
        "Thm 1",
        "paper",
        f"collapsed_{flow}_beta_{beta}",
        low=0.95,
    )


COLLAPSE = (
    *(_collapse(flow, beta) for flow in ("sa", "usa") for beta in (0, 1, 4)),
    Claim(
        "collapse_needs_a_hemisphere",
        "starts collapse only where the tokens happen to share a hemisphere: collapsed fraction "
        "at beta = 4 less Wendel's probability",
        "Thm 3 alone",
        "rival",
        "collapsed_beyond_hemisphere",
        high=0.0,
    ),
    Claim(
        "circle_weak_repulsion",
        "on the circle USA still synchronises at beta = -0.1",
        "arXiv 2507.22857",
        "paper",
        "collapsed_circle_beta_-0.1",
        low=0.95,
    ),
    Claim(
        "circle_three_clusters",
        "on the circle at beta = -1 starts near three equal clusters at 120 degrees never "
        "synchronise (fraction that does)",
        "arXiv 2507.22857",
        "paper",
        "collapsed_three_clusters_beta_-1",
        high=0.05,
    ),
)

CLAIMS = (*STRUCTURE, *RATES, *COLLAPSE)
