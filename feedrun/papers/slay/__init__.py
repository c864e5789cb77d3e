"""SLAY: spherical Yat-kernel linear attention.

arXiv: 2602.04915
Title: SLAY: Geometry-Aware Spherical Linearized Attention with Yat-Kernel
"""
