# SPDX-License-Identifier: MIT
"""Ways to a peer: a unix socket where it listens or connects, a command that is spawned.

A spawned command talks over its standard input and output; its standard error is the user's to
see. Every way gives one connection after another, each a fresh peer's. Knows no frame.
"""

from __future__ import annotations

import errno
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from sim.peer.fault import Unreachable
from sim.peer.limits import LIMITS, Limits
from sim.peer.wire import Wire

SCHEME: Final = "unix:"
RETRY_S: Final = 0.02
BACKLOG: Final = 1


class Way(Protocol):
    """One connection at a time."""

    name: str

    def open(self) -> Wire:
        """A fresh connection. Raises Unreachable."""

    def close(self) -> None:
        """Let go of the last one; nothing is left of it."""


def path_of(address: str) -> str:
    """The path in ``unix:PATH``. Raises Unreachable for another address."""
    path = address.removeprefix(SCHEME)
    if path == address or not path:
        raise Unreachable(f"{address!r} is no address; write {SCHEME}PATH")
    return path


class Connected:
    """Connects to a unix socket again and again; the peer takes each as a life of its own."""

    def __init__(self, address: str, limits: Limits = LIMITS) -> None:
        self.name = address
        self._path = path_of(address)
        self._limits = limits
        self._wire: Wire | None = None

    def open(self) -> Wire:
        """Connect; a peer that is just about to listen is waited for."""
        until_s = time.monotonic() + self._limits.connect_s
        while True:
            try:
                end = _connected(self._path)
                break
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError) as nobody:
                if time.monotonic() >= until_s:
                    raise Unreachable(f"{self.name}: {nobody.strerror}; start the peer") from None
                time.sleep(RETRY_S)
            except OSError as error:
                raise Unreachable(f"{self.name}: {error}; name another socket") from None
        self._wire = Wire(end, end, limits=self._limits)
        return self._wire

    def close(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def _connected(path: str) -> int:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)
        return one.detach()


class Spawned:
    """Runs a command for each connection, and sees to its end."""

    def __init__(self, command: str, limits: Limits = LIMITS) -> None:
        """Raises Unreachable for what is no command line."""
        self.name = command
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise Unreachable(f"{command!r}: {error}; quote it as a shell wants it") from None
        if not self._words:
            raise Unreachable("the command to spawn is empty; name a program")

    def open(self) -> Wire:
        """Start the command, in a session of its own so that all of it can be ended."""
        try:
            process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            remedy = "name a program that can be run"
            raise Unreachable(f"{self._words[0]}: {error.strerror}; {remedy}") from None
        assert process.stdin is not None, "it was asked for"
        assert process.stdout is not None, "as above"
        source, sink = os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno())
        process.stdout.close()
        process.stdin.close()
        self._process = process
        self._wire = Wire(source, sink, limits=self._limits, fate=self._fate)
        return self._wire

    def close(self) -> None:
        """Close its input, which tells it to end; see that it does, and what it started."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        process, self._process = self._process, None
        if process is None:
            return
        if _end_of(process.pid, self._limits.end_s) is None:
            _kill_all(process.pid, signal.SIGTERM)
            _end_of(process.pid, self._limits.end_s)
        _kill_all(process.pid, signal.SIGKILL)  # it, or whatever it left behind
        process.wait()

    def _fate(self) -> str:
        """How the command ended."""
        assert self._process is not None, "a wire has its process"
        end = _end_of(self._process.pid, self._limits.end_s)
        if end is None:
            return "it closed its standard output"
        if end.si_code == os.CLD_EXITED:
            return f"exit status {end.si_status}"
        return f"signal {signal.Signals(end.si_status).name}"


def _end_of(pid: int, within_s: float) -> os.waitid_result | None:
    """How a child ended, None if it does not in time. It is not reaped: its number is its own."""
    until_s = time.monotonic() + within_s
    while (end := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)) is None:
        if time.monotonic() >= until_s:
            return None
        time.sleep(RETRY_S)
    return end


def _kill_all(group: int, deed: signal.Signals) -> None:
    try:
        os.killpg(group, deed)
    except ProcessLookupError:
        return


@contextmanager
def listening(address: str, limits: Limits = LIMITS) -> Iterator[Iterator[Wire]]:
    """Listen at ``unix:PATH``: one connection after another, which the caller closes.

    The socket's file is gone afterwards. Raises Unreachable where nobody can listen.
    """
    path = path_of(address)
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(path)
        except OSError as error:
            taken = "remove it, or " if error.errno == errno.EADDRINUSE else ""
            told = f"{address}: {error.strerror or error}; {taken}name another socket"
            raise Unreachable(told) from None
        try:
            listener.listen(BACKLOG)
            yield _accepted(listener, limits)
        finally:
            Path(path).unlink(missing_ok=True)


def _accepted(listener: socket.socket, limits: Limits) -> Iterator[Wire]:
    while True:
        one, _ = listener.accept()
        end = one.detach()
        yield Wire(end, end, limits=limits)


def own_stdio(limits: Limits = LIMITS) -> Wire:
    """Our own standard input and output as a connection; nobody else may print from then on."""
    return Wire(os.dup(0), os.dup(1), limits=limits)
