# SPDX-License-Identifier: MIT
"""The fold: who sees what, what ends it, what open items do to it, and traces from files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from guest.pci_core.events import DriverBound, DriverUnbound
from protocol.link import PacketPublished
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import MessageType
from sim.oracles.judge import judge, judge_trace
from sim.oracles.law import (
    AWAKE,
    FROM_GUEST,
    FROM_HOST,
    Finding,
    Law,
    LawRaised,
    OpenItem,
    Sees,
    to_guest,
    to_host,
)
from sim.oracles.laws import LAWS
from sim.scenario_reader import load_scenario
from sim.trace import read_trace, write_trace
from sim.world import play
from tests.sim.oracles.laws.tale import from_host, message

BOUND = DriverBound("0001:00:00.0", "nvme")
UNBOUND = DriverUnbound("0001:00:00.0", "nvme")


class NothingBinds(Law):
    """A law about one event; what it says of it and of the end is the test's."""

    name = "nothing binds"
    kind = "warning"
    says: Finding = "bound"
    says_at_end: Finding = None

    def _bound(self, _event: DriverBound, *_: object) -> Finding:
        return self.says

    sees: ClassVar[Sees] = {DriverBound: _bound}

    def end(self, _at_ns: int) -> Finding:
        return self.says_at_end


class NothingEver(NothingBinds):
    says = None
    says_at_end = "something was missing"


class Silent(NothingBinds):
    says = None


class Known(NothingBinds):
    says = OpenItem("O7", "as everybody knows")


class Slips(NothingBinds):
    sees: ClassVar[Sees] = {DriverBound: lambda _law, event, *_: str(event.nothing)}


def test_the_first_finding_is_the_violation() -> None:
    happened = [(1, None, UNBOUND), (2, "work/0:probe", BOUND), (3, None, BOUND)]
    violation = judge(happened, 9, laws=(NothingEver, NothingBinds)).violation
    assert violation is not None
    assert (violation.kind, violation.law, violation.message) == (
        "warning",
        "nothing binds",
        "bound",
    )
    assert (violation.context, violation.at_ns) == ("work/0:probe", 2)


def test_the_end_is_judged_of_a_whole_run_only() -> None:
    violation = judge([(1, None, BOUND)], 9, laws=(NothingEver,)).violation
    assert violation is not None
    assert (violation.context, violation.at_ns) == ("end of run", 9)
    assert judge([(1, None, BOUND)], None, laws=(NothingEver,)).violation is None


def test_an_open_item_is_a_violation_unless_it_may_show() -> None:
    happened = [(1, None, BOUND), (2, None, BOUND)]
    violation = judge(happened, 9, laws=(Known,)).violation
    assert violation is not None
    assert "open item O7" in violation.message
    assert judge(happened, 9, laws=(Known,), may_show=("O7",)) == (None, ("O7",))


def test_an_open_item_does_not_hide_what_comes_after_it() -> None:
    judgement = judge([(1, None, BOUND)], 9, laws=(Known, NothingEver), may_show=("O7",))
    assert judgement.violation is not None
    assert judgement.known == ("O7",)


def test_a_message_is_seen_by_its_type_and_direction() -> None:
    seen: list[object] = []

    class TwoMessages(NothingBinds):
        sees: ClassVar[Sees] = {
            to_guest(MessageType.PCI_EJECT): lambda _law, event, *_: seen.append(event),
            to_host(MessageType.PCI_BUS_D0EXIT): lambda _law, event, *_: seen.append(event),
        }

    eject, exit_ = from_host(MessageType.PCI_EJECT), message(MessageType.PCI_BUS_D0EXIT)
    others = [message(MessageType.PCI_EJECT), from_host(MessageType.PCI_BUS_D0EXIT)]
    judge([(0, None, event) for event in (eject, *others, exit_)], 0, laws=(TwoMessages,))
    assert seen == [eject, exit_]


def test_packets_are_seen_by_their_direction_and_as_events_as_well() -> None:
    seen: list[tuple[str, object]] = []

    class Packets(NothingBinds):
        sees: ClassVar[Sees] = {
            PacketPublished: lambda _law, event, *_: seen.append(("any", event)),
            FROM_GUEST: lambda _law, event, *_: seen.append(("guest", event)),
            FROM_HOST: lambda _law, event, *_: seen.append(("host", event)),
            to_guest(MessageType.PCI_EJECT): lambda _law, event, *_: seen.append(("eject", event)),
        }

    eject, sent = from_host(MessageType.PCI_EJECT), message(MessageType.PCI_BUS_D0EXIT)
    answer = msgspec.structs.replace(eject, packet_type=VM_PKT_COMP)
    judge([(0, None, event) for event in (eject, sent, answer)], 0, laws=(Packets,))
    assert seen == [
        *(("any", eject), ("host", eject), ("eject", eject)),
        *(("any", sent), ("guest", sent)),
        *(("any", answer), ("host", answer)),
    ]


def test_a_law_sees_its_second_table_once_it_is_awake() -> None:
    class Sleeper(NothingBinds):
        def _woken(self, _event: DriverUnbound, *_: object) -> Finding:
            return AWAKE

        sees: ClassVar[Sees] = {DriverUnbound: _woken}
        sees_awake: ClassVar[Sees] = {DriverBound: NothingBinds.sees[DriverBound]}

    asleep = [(0, None, BOUND), (1, None, UNBOUND)]
    assert judge(asleep, 9, laws=(Silent, Sleeper)) == (None, ())
    violation = judge([*asleep, (2, None, BOUND)], 9, laws=(Silent, Sleeper)).violation
    assert violation is not None
    assert violation.at_ns == 2


def test_a_law_that_fails_is_told_in_one_line() -> None:
    with pytest.raises(LawRaised, match=r"nothing binds.*AttributeError"):
        judge([(1, None, BOUND)], 9, laws=(Slips,))


def test_a_trace_from_a_file_is_judged_as_the_run_was(tmp_path: Path) -> None:
    result = play(load_scenario("eject-idle"))
    write_trace(tmp_path / "t.jsonl", {}, result.trace)
    events = read_trace(tmp_path / "t.jsonl").events
    assert judge_trace(events, laws=LAWS) == (None, ())
    violation = judge_trace(events, laws=(NothingBinds,)).violation
    assert violation is not None
    (bound,) = [stamped for stamped in events if isinstance(stamped.event, DriverBound)]
    assert (violation.context, violation.at_ns) == (bound.context, bound.at_ns)
