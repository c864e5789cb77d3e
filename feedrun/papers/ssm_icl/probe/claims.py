"""The claims of icl_probe: what can be read from hidden states, and what the gains say.

Thresholds were written before any run. 0.9 of the ceiling is a guess, for the signal on LG4
and, taken over, for LG1; so is 0.5 for the decay. That of cosines is derived: see
`probe_gain.window_cosine`. Differences are claimed to be above 0. The signal whose observation has
just been seen has no claim: the last observations alone give nearly all of it, as a trial showed.
"""

from feedrun.experiment import Claim
from feedrun.papers.ssm_icl.arms.results import LEAKS

TRAP = (
    Claim(
        "raw_states_cannot_be_read",
        "LG4: R^2 of the raw state, which the prior leaves open up to a rotation: the furthest "
        "from 0 over arms, trained or not, and seeds",
        "symmetry of the prior",
        "derived",
        "trap",
        low=-0.01,
        high=0.01,
    ),
    Claim(
        "knowing_the_task_is_out_of_reach",
        "LG4: the ceiling of who knows the task cannot be the goal: the posterior mean itself has "
        "less than 0.9 of it (computed beforehand: 0.67 after 15 observations, 0.83 after 31)",
        "table computed beforehand",
        "derived",
        "lg4/genie/signal_of_ceiling",
        low=1 / 0.9,
    ),
)

TRACKING = (
    Claim(
        "ssm_reads_the_signal",
        "LG4: a probe of the selective SSM has 0.9 of the R^2 that can be had of the noise-free "
        "signal before it is seen (a guess)",
        "abstract",
        "paper",
        "lg4/ssd+conv/signal_of_ceiling",
        low=0.9,
    ),
    Claim(
        "ssm_tracks_better_than_linear",
        "LG4: share of the ceiling, selective SSM less linear Transformer, both with a short "
        "convolution",
        "abstract",
        "paper",
        "lg4/gap/ssd+conv_minus_linear+conv+rope",
        low=0,
    ),
    Claim(
        "ssm_tracks_better_than_linear_plain",
        "LG4: the same, both without the convolution",
        "abstract",
        "paper",
        "lg4/gap/ssd_minus_linear+rope",
        low=0,
    ),
    Claim(
        "linear_reads_the_signal",
        "rival: so has the linear Transformer with a short convolution",
        "control",
        "rival",
        "lg4/linear+conv+rope/signal_of_ceiling",
        low=0.9,
    ),
    Claim(
        "training_makes_it_readable",
        "LG4: the trained selective SSM less the same network untrained",
        "control",
        "derived",
        "lg4/gap/ssd+conv_minus_untrained",
        low=0,
    ),
    Claim(
        "more_than_the_last_observations",
        "LG4: the trained selective SSM less a probe of the raw last observations",
        "control",
        "derived",
        "lg4/gap/ssd+conv_minus_last",
        low=0,
    ),
    Claim(
        "the_task_is_carried",
        "LG4: half of what can be known of the decay kappa is read linearly as well (a guess)",
        "abstract",
        "paper",
        "lg4/ssd+conv/decay_of_ceiling",
        low=0.5,
    ),
)

OTHERS = (
    Claim(
        "raw_state_is_read_where_it_means_something",
        "LG1, whose state has a sign and a scale: the raw state, as the signal on LG4 (a guess)",
        "abstract",
        "paper",
        "lg1/ssd+conv/state_of_ceiling",
        low=0.9,
    ),
    Claim(
        "modes_are_tracked_better_than_by_linear",
        "SM: share of the belief over modes that is read, in nats, selective SSM less linear "
        "Transformer, both with a short convolution",
        "abstract",
        "paper",
        "switching/gap/ssd+conv_minus_linear+conv+rope",
        low=0,
    ),
    Claim(
        "beliefs_are_made_by_training",
        "SM: the trained selective SSM less the same network untrained",
        "control",
        "derived",
        "switching/gap/ssd+conv_minus_untrained",
        low=0,
    ),
    Claim(
        "beliefs_are_more_than_the_last_symbols",
        "SM: the trained selective SSM less a probe of the raw last symbols",
        "control",
        "derived",
        "switching/gap/ssd+conv_minus_last",
        low=0,
    ),
)

GAIN = (
    Claim(
        "influence_beyond_the_last_value",
        "LG1 at one system: cosine of the selective SSM's influence function with the Kalman "
        "filter's, less the most that a predictor from the last observation alone can have",
        "Filter Representation Lemma",
        "paper",
        "gain/ssd+conv/beyond_last_value",
        low=0,
    ),
    Claim(
        "influence_beyond_the_convolution",
        "LG1: less the most that the four observations of a short convolution can have",
        "Filter Representation Lemma",
        "paper",
        "gain/ssd+conv/beyond_convolution",
        low=0,
    ),
    Claim(
        "linear_influence_beyond_the_convolution",
        "rival: the linear Transformer with a short convolution, likewise",
        "control",
        "rival",
        "gain/linear+conv+rope/beyond_convolution",
        low=0,
    ),
)

CLAIMS = (*TRAP, *TRACKING, *OTHERS, *GAIN, *LEAKS)
