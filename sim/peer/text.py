# SPDX-License-Identifier: MIT
"""What a peer says in words, made fit for a terminal, a page and XML. Knows no frame."""

from __future__ import annotations

from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def text_of(said: bytes) -> str:
    """The words, in UTF-8; what is none, and what cannot be printed, is U+FFFD."""
    words = said.decode(errors="replace")
    return "".join(one if one.isprintable() else REPLACEMENT for one in words)
