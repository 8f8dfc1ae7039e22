"""Losses between a decoded graph and the input that it is aligned to."""
