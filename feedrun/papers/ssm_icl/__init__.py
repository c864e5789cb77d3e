"""In-context learning as Bayesian filtering.

arXiv: 2602.17744
Title: Bayesian Optimality of In-Context Learning with Selective State Spaces
"""
