"""Learners: from rollout windows to better parameters."""
