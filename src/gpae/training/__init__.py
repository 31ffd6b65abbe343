"""Rollout, the jitted update, the loop around it, checkpoints and evaluation."""
