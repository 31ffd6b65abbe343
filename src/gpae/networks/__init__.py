"""Actor, critics and their parts, as flax modules on arrays [time, agent, environment, feature]."""
