"""Decoders that differ in attention alone: their tasks, training and generation."""
