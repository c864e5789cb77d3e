"""Mean-field dynamics of Transformers.

arXiv: 2512.01868
Title: The Mean-Field Dynamics of Transformers
"""
