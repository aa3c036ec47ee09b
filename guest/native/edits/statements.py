# SPDX-License-Identifier: MIT
"""Finds functions, statements and conditions in C by the identifiers in them. No parser.

Comments, strings and preprocessor lines are blanked first, at their length, so that places in the
blanked text are places in the source. Whoever has changed a driver has moved lines and added
statements; a place is therefore told by names, never by number of line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_BLANKED: Final = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#(?:\\\n|[^\n])*",
    re.DOTALL | re.MULTILINE,
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*")
_TESTS: Final = re.compile(r"if|while|switch|for|\w*for_each\w*")
_LEADS: Final = frozenset({"else", "do"})
_LABEL: Final = re.compile(r"\s*(?:case\b[^?]*|\w+\s*)$")
_CLOSES: Final = {"(": ")", "{": "}"}


class Span(NamedTuple):
    """A piece of the source, from ``start`` up to but not including ``end``."""

    start: int
    end: int


class Piece(NamedTuple):
    """A simple statement with its semicolon, or the condition of ``if`` or ``while``."""

    kind: str
    span: Span


def blanked(text: str) -> str:
    """The text with nothing left that only looks like code; as long, and with the same lines."""
    return _BLANKED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def functions(code: str, name: str) -> Iterator[Span]:
    """The bodies of every definition of this function; ``code`` is blanked."""
    for found in re.finditer(rf"\b{re.escape(name)}\s*(?=\()", code):
        after = _closed(code, found.end())
        brace = re.compile(r"\s*\{").match(code, after)
        if brace:
            yield Span(brace.end() - 1, _closed(code, brace.end() - 1))


def mentions(code: str, span: Span, names: tuple[str, ...]) -> bool:
    """Whether all these identifiers stand there."""
    there = set(_IDENTIFIER.findall(code, *span))
    return there.issuperset(names)


def pieces(code: str, body: Span) -> Iterator[Piece]:
    """The simple statements of a body and the conditions in it, in order."""
    start = at = body.start + 1
    while at < body.end - 1:
        word = _IDENTIFIER.match(code, at)
        if word:
            at = word.end()
            if not code[start : word.start()].strip():
                tested = _test(code, word)
                if tested:
                    yield Piece(word[0], Span(at, tested))
                    start = at = tested
                elif word[0] in _LEADS:
                    start = at
        elif code[at] == "(":
            at = _closed(code, at)
        elif code[at] == ";":
            at += 1
            yield Piece("statement", _trimmed(code, Span(start, at)))
            start = at
        elif code[at] in "{}" or (code[at] == ":" and _LABEL.match(code[start:at])):
            at += 1
            start = at
        else:
            at += 1


def _test(code: str, word: re.Match[str]) -> int | None:
    """The end of what stands in parentheses behind a word that tests or repeats."""
    if not _TESTS.fullmatch(word[0]):
        return None
    paren = re.compile(r"\s*\(").match(code, word.end())
    return _closed(code, paren.end() - 1) if paren else None


def _closed(code: str, at: int) -> int:
    """Behind the bracket that closes the one at this place; the end if none does."""
    opens, closes, depth = code[at], _CLOSES[code[at]], 0
    for place in range(at, len(code)):
        depth += (code[place] == opens) - (code[place] == closes)
        if not depth:
            return place + 1
    return len(code)


def _trimmed(code: str, span: Span) -> Span:
    text = code[span.start : span.end]
    return Span(span.end - len(text.lstrip()), span.end)
