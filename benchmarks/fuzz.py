# SPDX-License-Identifier: MIT
"""Fuzzing on a clock: a coverage-guided engine (atheris) makes up the lives of a host or a guest.

Run with ``python -m benchmarks.fuzz host|guest --seconds N``. The lives are those of the tests'
campaigns (``sim/fuzzing``), but their numbers come from the engine, which keeps what led to code
that had not run before. ``--seed S --life L`` plays one life of a campaign again, and
``--bytes FILE`` one that the engine found.

atheris is no dependency: it has wheels for few versions of Python, and instruments every module
that it covers. Without it the exit status is 3, with the remedy in one line.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

LACKS_ATHERIS: Final = 3
REMEDY: Final = "atheris is not installed: pip install atheris, in a virtual environment of its own"
INSTRUMENTED: Final = ["host", "guest", "protocol"]
LONGEST_LIFE_BYTES: Final = 2048


def main() -> None:
    """Play what is asked for; the exit status is 1 if a life ended badly."""
    asked = _arguments()
    if asked.life is None and asked.bytes is None:
        _fuzz(asked.target, asked.seconds, asked.corpus)
        return
    try:
        print(f"{_one_life(asked)} packets, and nothing is wrong")
    except OSError as error:
        print(f"{asked.bytes}: {error.strerror}; name a file that was found", file=sys.stderr)
        sys.exit(2)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="fuzz a host or a guest, guided by coverage")
    parser.add_argument("target", choices=("host", "guest"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="where the engine keeps lives")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--life", type=int, metavar="N", help="one life of the seed's campaign")
    parser.add_argument("--bytes", type=Path, metavar="FILE", help="one life that was found")
    return parser.parse_args()


def _one_life(asked: argparse.Namespace) -> int:
    """Play it; its packets. Ends the program with 1 where it ended badly."""
    campaign, telling = import_module("sim.fuzzing.campaign"), import_module("sim.fuzzing.telling")
    try:
        if asked.bytes is None:
            trail = campaign.play(asked.target, asked.seed, asked.life)
        else:
            trail = campaign.play_bytes(asked.target, asked.bytes.read_bytes())
    except telling.Broken as broken:
        sys.exit(str(broken))
    packets: int = trail.packets
    return packets


def _fuzz(target: str, seconds: int, corpus: Path | None) -> None:
    """Let the engine make up lives for so long; it ends the program."""
    try:
        atheris: Any = import_module("atheris")
    except ImportError:
        print(REMEDY, file=sys.stderr)
        sys.exit(LACKS_ATHERIS)
    with atheris.instrument_imports(include=INSTRUMENTED):
        campaign = import_module("sim.fuzzing.campaign")
    options = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_LIFE_BYTES}",
        "-len_control=0",  # long lives from the beginning on
    ]
    if corpus is not None:
        corpus.mkdir(parents=True, exist_ok=True)
        options.append(str(corpus))
    atheris.Setup(options, lambda data: _play(campaign, target, data))
    atheris.Fuzz()


def _play(campaign: Any, target: str, data: bytes) -> None:
    campaign.play_bytes(target, data)


if __name__ == "__main__":
    main()
