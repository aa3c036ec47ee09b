# SPDX-License-Identifier: MIT
"""What a test asks for that cannot be had. Knows nothing else."""

from __future__ import annotations


class Refused(Exception):
    """Bad use, told in one line with the remedy; never a failure that is made short."""

    def __init__(self, line: str) -> None:
        super().__init__(" ".join(line.split()))
