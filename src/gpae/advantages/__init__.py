"""Advantage estimators: pure functions on time-major arrays [time, agent, environment], free of the rest of gpae."""

from gpae.advantages import coma, dae, gae, gpae, marginal, multilevel, ratios, traces

__all__ = ["coma", "dae", "gae", "gpae", "marginal", "multilevel", "ratios", "traces"]
