"""Generalized per-agent advantage estimation: estimators, environments, learner and the artifact around them."""

from gpae import runtime

runtime.pin_blas()  # before numpy and scipy are loaded, for whoever imports this package
