"""First step of a child process: set the limits on itself, then become the command.

Run as a file, by ``process.run_child``: ``python -I -S launch.py PARENT MEMORY COMMAND...``. It takes the place of a
``preexec_fn``, which would have to fork the (large, threaded) parent and run Python between fork and exec.
Standard library only, and little of it: every child pays for these imports.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

#: From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have the kernel kill this process when ``parent`` dies; it outlives the exec that follows."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


def main(parent: int, memory_limit: int, command: list[str]) -> int:
    """Become ``command``. Returns only if that fails: 127, as a shell would."""
    die_with(parent)
    # DATA, not AS: address space that is merely reserved or mapped from libraries is not memory used
    if memory_limit:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Python ignores it, and an ignored signal stays so across exec
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
    return 127


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
