"""Reference values of the oracles, computed beforehand and independently, in NumPy.

They were made before this code; the paper's own numbers are not known. A pair is (value, standard
error).
"""

SCALARS = {
    (0.9, 0.19, 1.0): (0.435890, 0.273211, 1.435890, 0.626789),
    (0.9, 0.19, 0.25): (0.300546, 0.491315, 0.550546, 0.408685),
    (0.95, 0.0975, 1.0): (0.312250, 0.226053, 1.312250, 0.723947),
    (0.99, 0.0199, 1.0): (0.141067, 0.122391, 1.141067, 0.867609),
    (0.5, 0.75, 1.0): (0.866025, 0.232051, 1.866025, 0.267949),
}
"""(a, q, r) -> steady P, gain K, variance S of y, pole a - K."""

ROTATION = (0.95, 0.5235987755982988, 0.25)
ROTATION_S = {1: 1.25, 2: 0.7085, 4: 0.621084, 8: 0.526738, 16: 0.526179, 32: 0.526176}
"""Decay, angle and noise of the rotating system; its S_t from P_1 = I."""

ORDER_BLIND = {
    True: {5: 1.449, 10: 1.482, 20: 1.532, 40: 1.567, 60: 1.578, 100: 1.586, 200: 1.591},
    False: {5: 1.483, 10: 1.585, 20: 1.742, 40: 1.874, 60: 1.921, 100: 1.956, 200: 1.979},
}
"""Best linear risk from the mean of n past values (True: and the last one), a = 0.9, r = 1."""

LADDER = {0: 1.25, 1: 1.084, 2: 0.954, 4: 0.817, 8: 0.783}
LADDER_KALMAN = 0.779
"""LG4: best risk from p past values, and the steady filter's, means over tasks."""

LG1_EXCESS = {
    1: (0.0410, 0.0018),
    2: (0.0338, 0.0014),
    4: (0.0306, 0.0011),
    8: (0.0259, 0.0011),
    16: (0.0215, 0.0009),
    32: (0.0149, 0.0007),
    64: (0.0098, 0.0005),
    128: (0.0069, 0.0004),
    256: (0.0039, 0.0002),
}
"""LG1: past values n -> excess of Bayes over the genie."""

LG4_BAYES = {
    1: (0.187, 0.021),
    3: (0.258, 0.022),
    7: (0.228, 0.019),
    15: (0.155, 0.012),
    31: (0.079, 0.006),
    63: (0.055, 0.007),
}
"""LG4: past values -> excess over the genie of a bank of 16384 draws."""

LG4_LAGS = {
    ("ar4", 15): (0.196, 0.006),
    ("ar4", 31): (0.127, 0.004),
    ("ar4", 63): (0.086, 0.003),
    ("ar8", 63): (0.086, 0.003),
}
"""LG4: ridge on lags, penalty tuned, excess over the genie."""

CNR = {
    (0.0, 10): {"bayes": 0.4418, "proper": 0.4418, "ridge": 0.4418, "unknown": (0.455, 0.010)},
    (0.0, 40): {
        "bayes": 0.2853,
        "proper": 0.2853,
        "ridge": 0.2853,
        "arx_ols": (0.345, 0.004),
        "unknown": (0.291, 0.002),
    },
    (0.0, 80): {
        "bayes": 0.2666,
        "proper": 0.2666,
        "ridge": 0.2666,
        "arx_ols": (0.289, 0.002),
        "unknown": (0.269, 0.001),
    },
    (0.5, 10): {"bayes": 0.3631, "proper": 0.4048, "ridge": 0.441, "unknown": (0.400, 0.012)},
    (0.5, 40): {
        "bayes": 0.2152,
        "proper": 0.2728,
        "ridge": 0.285,
        "arx_ols": (0.256, 0.003),
        "unknown": (0.218, 0.001),
    },
    (0.5, 80): {
        "bayes": 0.2003,
        "proper": 0.2604,
        "ridge": 0.267,
        "arx_ols": (0.218, 0.001),
        "unknown": (0.202, 0.001),
    },
    (0.9, 5): {"bayes": 0.4010, "proper": 0.5403, "ridge": 0.665, "unknown": (0.513, 0.022)},
    (0.9, 10): {"bayes": 0.1201, "proper": 0.3007, "ridge": 0.440, "unknown": (0.165, 0.007)},
    (0.9, 20): {
        "bayes": 0.0669,
        "proper": 0.2618,
        "ridge": 0.329,
        "arx_ols": (0.127, 0.004),
        "unknown": (0.071, 0.001),
    },
    (0.9, 40): {
        "bayes": 0.0549,
        "proper": 0.2543,
        "ridge": 0.285,
        "arx_ols": (0.067, 0.001),
        "unknown": (0.0546, 0.0003),
    },
    (0.9, 80): {
        "bayes": 0.0508,
        "proper": 0.2519,
        "ridge": 0.267,
        "arx_ols": (0.0554, 0.0003),
        "unknown": (0.0508, 0.0002),
    },
}
"""CNR: (rho, pairs n) -> risks; plain numbers are means over 1500 designs, error CNR_ERROR."""

CNR_ERROR = 0.002

DRIFT = {
    (1.0, "bayes"): {5: 0.66, 10: 0.44, 20: 0.329, 40: 0.285, 80: 0.267, 128: 0.260},
    (0.99, "bayes"): {5: 0.70, 10: 0.514, 20: 0.450, 40: 0.442, 80: 0.441, 128: 0.442},
    (0.99, "ridge"): {5: 0.69, 10: 0.52, 20: 0.476, 40: 0.537, 80: 0.672, 128: 0.812},
    (0.95, "bayes"): {5: 0.815, 10: 0.722, 20: 0.706, 40: 0.709, 80: 0.705, 128: 0.709},
    (0.95, "ridge"): {5: 0.83, 10: 0.786, 20: 0.889, 40: 1.055, 80: 1.204, 128: 1.332},
}
DRIFT_ERROR = 0.01
"""DR: (a, predictor) -> risks after n pairs, and their error (0.02 at n = 5 for ridge)."""

MARKOV = {
    (2, 1.0): {10: (0.0655, 0.0006), 50: (0.0180, 0.0006), 200: (0.0047, 0.0006)},
    (3, 1.0): {10: (0.143, 0.001), 50: (0.0478, 0.001), 200: (0.0138, 0.001)},
    (8, 1.0): {10: (0.323, 0.002), 50: (0.217, 0.002), 200: (0.0979, 0.002)},
    (27, 0.1): {10: (1.53, 0.01), 50: (1.09, 0.01), 200: (0.538, 0.01)},
}
"""MC: (V, alpha) -> KL of Bayes to the truth in nats at position t, its error at t = 10."""
