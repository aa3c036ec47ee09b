# SPDX-License-Identifier: MIT
"""Puts edits into a driver's source. Lines keep their numbers, so that reports name the right ones.

Knows no compiler and no defect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from guest.native.edits.record import EVERY, LAST, Drop, Edit, EditDoesNotFit, Force, Move, Swap
from guest.native.edits.statements import Span, blanked, functions, mentions, pieces

_CONDITIONS: Final = ("if", "while")
_STATEMENTS: Final = ("statement",)
_ANYTHING: Final = _CONDITIONS + _STATEMENTS
_Change = tuple[Span, str]


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The source with all edits in it. Raises :class:`EditDoesNotFit`."""
    for edit in edits:
        for span, new in sorted(_DO[type(edit)](text, edit), reverse=True):
            text = f"{text[: span.start]}{new}{text[span.end :]}"
    return text


def _drop(text: str, edit: Drop) -> list[_Change]:
    return [(span, _gone(text, span)) for span in _found(text, edit, edit.names, edit.nth)]


def _force(text: str, edit: Force) -> list[_Change]:
    spans = _found(text, edit, edit.names, edit.nth, _CONDITIONS)
    return [(span, _condition(text, span, edit.value)) for span in spans]


def _condition(text: str, span: Span, value: int) -> str:
    return f" ({value}{_lines(text, span)})"


def _swap(text: str, edit: Swap) -> list[_Change]:
    """A name may stand for several things in one statement; all of them are meant."""
    (span,) = _found(text, edit, (*edit.names, edit.old), edit.nth, _ANYTHING)
    new = re.sub(rf"(?<![\w>.])\b{edit.old}\b", edit.new, text[span.start : span.end])
    return [(span, new)]


def _move(text: str, edit: Move) -> list[_Change]:
    (what,) = _found(text, edit, edit.names, edit.nth)
    (where,) = _found(text, edit, edit.behind, 1)
    moved = " ".join(text[what.start : what.end].split())
    return [(what, _gone(text, what)), (Span(where.end, where.end), f" {moved}")]


_DO: Final[Mapping[type, Callable[[str, Any], list[_Change]]]] = {
    Drop: _drop,
    Force: _force,
    Swap: _swap,
    Move: _move,
}


def _found(
    text: str,
    edit: Edit,
    names: tuple[str, ...],
    nth: int,
    kinds: tuple[str, ...] = _STATEMENTS,
) -> list[Span]:
    """Where it is, in the first definition that has it: by architecture there may be several."""
    code = blanked(text)
    for body in functions(code, edit.function):
        spans = [
            piece.span
            for piece in pieces(code, body)
            if piece.kind in kinds and mentions(code, piece.span, names)
        ]
        if nth == EVERY and spans:
            return spans
        if nth != EVERY and len(spans) >= abs(nth):
            return [spans[LAST if nth == LAST else nth - 1]]
    which = "" if nth in (EVERY, LAST, 1) else f"number {nth} "
    what = "condition" if kinds == _CONDITIONS else "statement"
    raise EditDoesNotFit(f"{edit.function}() has no {what} {which}with {', '.join(names)}")


def _gone(text: str, span: Span) -> str:
    return f";{_lines(text, span)}"


def _lines(text: str, span: Span) -> str:
    return "\n" * text.count("\n", *span)
