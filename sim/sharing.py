# SPDX-License-Identifier: MIT
"""What several processes remember of one host, in a file that lies in memory and has no name.

What one of them has learnt the others need not. Knows nothing of what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shared_memory(jobs: int) -> Iterator[str | None]:
    """A path by which processes of ours find the file; None where one has it all to itself.

    The file is gone with the last of them, however they end.
    """
    if jobs == 1:
        yield None
        return
    file = os.memfd_create("vpcisim")
    try:
        yield f"{os.path.realpath('/proc/self')}/fd/{file}"
    finally:
        os.close(file)
