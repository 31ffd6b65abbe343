"""Environments: one protocol of stacked arrays, one adapter or implementation a family."""
