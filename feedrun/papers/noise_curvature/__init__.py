"""SGD noise and curvature.

arXiv: 2602.05600
Title: On the Superlinear Relationship between SGD Noise Covariance and Loss Landscape Curvature
"""
