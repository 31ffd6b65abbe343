"""Locks that go with their process, however it ends: flock, or where a file system has none, those of POSIX.

Lustre mounted without -o flock and some NFS and FUSE mounts refuse flock (ENOSYS, ENOLCK, EOPNOTSUPP). All processes
that meet at such a file get the same answer, so that they take the same kind of lock.
"""

import errno
import fcntl
from typing import IO

from gpae.faults import Fault

_ABSENT = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


def take(file: IO, wait: bool = False, shared: bool = False) -> bool:
    """Whether this process has the lock of `file` now; a shared one needs it open for reading, else for writing.

    wait: until it is free. Raises Fault where the file system has no locks.
    """
    kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    for lock in (fcntl.flock, fcntl.lockf):
        try:
            lock(file, kind)
            return True
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            if error.errno not in _ABSENT:
                raise
    raise Fault(
        f"{file.name}: this file system has no locks, which keep two processes from one job; "
        "mount it with them (Lustre: -o flock), or put the folder on one that has"
    )
