# SPDX-License-Identifier: MIT
"""A user's own laws, loaded by path. Runs the user's code; trusts nothing of it but that.

The file defines ``LAWS``, a sequence of factories: usually its law classes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from sim.oracles.law import Law, LawFactory, Message
from sim.scenario_grammar import VIOLATION_KINDS

PARTS = ("name", "kind", "sees", "end")


class LawFileError(Exception):
    """A file of laws that cannot be used; one line: file, what is wrong, remedy."""


def load_laws(path: Path) -> tuple[LawFactory, ...]:
    """The laws of a file. Raises LawFileError, also for what the file's own code raises."""
    laws = getattr(_module(path), "LAWS", None)
    if not isinstance(laws, Sequence) or not laws:
        raise LawFileError(f"{path}: has no LAWS; end it with LAWS = (YourLaw,)")
    for number, factory in enumerate(laws):
        check_law(factory, f"{path}: LAWS[{number}]")
    return tuple(laws)


def _module(path: Path) -> ModuleType:
    if not path.is_file():
        raise LawFileError(f"{path}: is no file; name a Python file that defines LAWS")
    name = f"vpcisim_laws_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise LawFileError(f"{path}: is no Python file; its name must end in .py")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise LawFileError(f"{path}:{error.lineno}: {error.msg}") from None
    except Exception as error:
        raise LawFileError(f"{path}: {_what(error)} while it was loaded") from None
    return module


def check_law(factory: LawFactory, place: str) -> None:
    """Refuse what cannot be used as a law; ``place`` says where it stands. Raises LawFileError."""
    try:
        law = factory()
    except Exception as error:
        raise LawFileError(f"{place}: {_what(error)} when it was made without arguments") from None
    lacking = [part for part in PARTS if not hasattr(type(law), part)]
    if lacking:
        raise LawFileError(
            f"{place}: has no {', '.join(lacking)}; a law's class has {', '.join(PARTS)}"
        )
    if law.kind not in VIOLATION_KINDS:
        kinds = ", ".join(VIOLATION_KINDS)
        raise LawFileError(f"{place}: kind {law.kind!r} is none of {kinds}")
    _check_sees(law, place)


def _check_sees(law: Law, place: str) -> None:
    for seen, handler in law.sees.items():
        if not isinstance(seen, (type, Message)):
            raise LawFileError(f"{place}: sees {seen!r}, which is no type of event and no message")
        if not callable(handler):
            raise LawFileError(f"{place}: its handler for {seen} cannot be called")


def _what(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
