"""The claims of slay_lm: orderings, as differences of test loss, seed by seed.

Nats a byte; negative: the first is better. Signs are what the paper's
table says, or a control's; nothing here was set after a trial.
"""

from feedrun.experiment import Claim, Origin

COMPARED = (
    ("softmax", "slay"),
    ("slay", "favor_relu"),
    ("slay", "favor"),
    ("slay", "square"),
    ("slay", "elu"),
    ("slay", "cosformer"),
    ("slay", "uniform"),
    ("ours", "slay"),
    ("ours", "softmax"),
    ("uniform", "bigram"),
)


def _better(a: str, b: str, words: str, source: str, origin: Origin) -> Claim:
    return Claim(
        f"{a}_beats_{b}", f"{words}: nats a byte", source, origin, f"{a}_minus_{b}", high=0
    )


PAPER = "Tab. of language modelling"

CLAIMS = (
    _better("softmax", "slay", "softmax predicts better than SLAY", PAPER, "paper"),
    _better("slay", "favor_relu", "SLAY beats ReLU Performer at 256 features each", PAPER, "paper"),
    _better("slay", "favor", "SLAY beats FAVOR+ at 256 features each", PAPER, "paper"),
    _better("slay", "elu", "SLAY beats ELU+1, which has fewer features", PAPER, "paper"),
    _better("slay", "cosformer", "SLAY beats cosFormer, which has fewer features", PAPER, "paper"),
    _better("slay", "square", "SLAY beats the exact square at 253 features", "control", "rival"),
    _better("slay", "uniform", "SLAY beats attention that looks at nothing", "control", "derived"),
    _better(
        "ours",
        "slay",
        "exact near, exact square far beats SLAY",
        "ours, not the paper's",
        "derived",
    ),
    _better(
        "ours",
        "softmax",
        "exact near, exact square far beats softmax",
        "ours, not the paper's",
        "rival",
    ),
)
