"""Generalized per-agent advantage estimation: estimators, environments, learner and the artifact around them."""
