# SPDX-License-Identifier: MIT
"""Fuzzing, by a seed or on a clock: how many packets a host or a guest survives.

Run with ``python -m benchmarks.fuzz host|guest``. ``--packets N`` plays the tests' own campaign
(``sim/fuzzing``) until so many are survived, and says what ended lives. ``--seed S --life L`` plays
one of its lives again. With ``--seconds N`` the numbers come from a coverage-guided engine
(atheris), which keeps what led to code that had not run before; ``--bytes FILE`` plays what it
found.

atheris is no dependency: it has wheels for few versions of Python, and instruments every module
that it covers. Without it the exit status is 3, with the remedy in one line.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

LACKS_ATHERIS: Final = 3
INTERRUPTED: Final = 130
REMEDY: Final = "atheris is not installed: pip install atheris, in a virtual environment of its own"
INSTRUMENTED: Final = ["host", "guest", "protocol"]
LONGEST_LIFE_BYTES: Final = 2048


def main() -> None:
    """Play what is asked for; the exit status is 1 if a life ended badly."""
    asked = _arguments()
    if asked.packets is None and asked.life is None and asked.bytes is None:
        _fuzz(asked.target, asked.seconds, asked.corpus)  # before it imports what it covers
    telling = import_module("sim.fuzzing.telling")
    try:
        if asked.packets is not None:
            _campaign(asked)
        else:
            many = import_module("sim.closing").many
            print(f"{many(_one_life(asked), 'packet')}, and nothing is wrong")
    except OSError as error:
        print(f"{asked.bytes}: {error.strerror}; name a file that was found", file=sys.stderr)
        sys.exit(2)
    except telling.Broken as broken:
        sys.exit(str(broken))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="fuzz a host or a guest, by a seed or on a clock")
    parser.add_argument("target", choices=("host", "guest"))
    parser.add_argument(
        "--packets", type=_many, metavar="N", help="the seed's campaign, until N are survived"
    )
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="where the engine keeps lives")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--life", type=_nth, metavar="N", help="one life of the seed's campaign")
    parser.add_argument("--bytes", type=Path, metavar="FILE", help="one life that was found")
    return parser.parse_args()


def _many(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} packets are none; give a number from 1 on")
    return int(text)


def _nth(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"there is no life {text!r}; give a number from 0 on")
    return int(text)


def _campaign(asked: argparse.Namespace) -> None:
    """Play it and say what it came to. Raises Broken."""
    campaign = import_module("sim.fuzzing.campaign")
    progress = import_module("sim.report.progress")
    tallies = []
    with progress.progress_of(f"fuzzing a {asked.target}", asked.packets) as show:
        for tally in campaign.campaigns(asked.target, asked.seed, asked.packets):
            tallies.append(tally)
            show(sum(each.survived for each in tallies), 0)
    told = campaign.together(tallies)
    packets = import_module("sim.closing").many(told.survived, "packet")
    print(f"{packets} survived, in {told.lives:,} {'life' if told.lives == 1 else 'lives'}")
    if told.ended_by:
        ended = sum(told.ended_by.values())
        print(f"{ended:,} lives ended in an open item of the driver, by a packet each")
    for items, count in told.ended_by.most_common():
        print(f"{count:7,}  {items}")


def _one_life(asked: argparse.Namespace) -> int:
    """Play it; its packets. Raises Broken."""
    campaign = import_module("sim.fuzzing.campaign")
    if asked.bytes is None:
        trail = campaign.play(asked.target, asked.seed, asked.life)
    else:
        trail = campaign.play_bytes(asked.target, asked.bytes.read_bytes())
    packets: int = trail.packets
    return packets


def _fuzz(target: str, seconds: int, corpus: Path | None) -> NoReturn:
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
    sys.exit()


def _play(campaign: Any, target: str, data: bytes) -> None:
    campaign.play_bytes(target, data)


if __name__ == "__main__":
    main()
