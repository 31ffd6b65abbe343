"""Every test computes as a job does: one thread, pinned random bits, the repository's compilation cache."""

import os

from gpae import runtime

os.environ.update({name: value for name, value in runtime.settings(1).items() if name != "GLIBC_TUNABLES"})
