# SPDX-License-Identifier: MIT
"""What an implementation behind the peer port can be ordered to do, and the words of each order.

An order's arguments are 64-bit words: a number each, but for the last one, which may be a list of
numbers or bytes, a word each. Knows no frame.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from protocol.errors import RemoteProtocolError
from protocol.vpci import MessageType

Shape: TypeAlias = Literal["number", "numbers", "bytes", "message", "ring", "access"]
Value: TypeAlias = int | str | bytes | tuple[int, ...]
RINGS: Final = ("to-guest", "to-host")  # as words: 0 and 1
ACCESSES: Final = ("read", "write", "both")  # as words: 0, 1 and 2
NAMES: Final[Mapping[str, Sequence[str]]] = {"ring": RINGS, "access": ACCESSES}
REST: Final = ("numbers", "bytes")  # take all words that are left


class Argument(NamedTuple):
    """One argument; ``default`` None where it must be given."""

    name: str
    shape: Shape = "number"
    default: int | None = None


class OrderKind(NamedTuple):
    """``number`` is its bit in HELLO and the ``order`` of ORDER; ``says`` what is to be done."""

    number: int
    says: str
    arguments: tuple[Argument, ...] = ()


WSLOT: Final = Argument("wslot", default=0)

HOST_ORDERS: Final[Mapping[str, OrderKind]] = {
    "configure": OrderKind(0, "before OPEN: have this on the bus", (Argument("bus"),)),
    "eject": OrderKind(1, "send PCI_EJECT for a function", (WSLOT,)),
    "rescind": OrderKind(2, "withdraw the offer"),
    "surprise-remove": OrderKind(3, "the device is physically gone"),
    "reoffer": OrderKind(4, "offer again what was rescinded"),
    "relations": OrderKind(
        5, "have these functions, and send a list of them", (Argument("wslots", "numbers"),)
    ),
    "invalidate-block": OrderKind(6, "say that blocks changed", (WSLOT, Argument("mask"))),
    "fail-next": OrderKind(
        7,
        "answer the next request of a type with an NTSTATUS, and do nothing",
        (Argument("message", "message"), Argument("status")),
    ),
    "raise-interrupt": OrderKind(
        8, "the device raises one of its vectors", (WSLOT, Argument("index", default=0))
    ),
    "stall": OrderKind(9, "let the channel rest", (Argument("stall_ns"),)),
    "pass-time": OrderKind(10, "let so much time pass", (Argument("for_ns"),)),
    "forge-packet": OrderKind(
        11, "send these bytes as an in-band packet", (Argument("payload", "bytes"),)
    ),
    "forge-completion": OrderKind(
        12,
        "send these bytes as a completion",
        (Argument("transaction_id"), Argument("payload", "bytes")),
    ),
    "forge-index": OrderKind(
        13, "write an index of a ring", (Argument("ring", "ring"), Argument("value"))
    ),
    "defer-access": OrderKind(
        14,
        "put off the next access to a function's configuration space; 0 ns: never answer it",
        (WSLOT, Argument("kind", "access"), Argument("for_ns")),
    ),
}
GUEST_ORDERS: Final[Mapping[str, OrderKind]] = {
    "offer-versions": OrderKind(
        32, "before OPEN: offer these, in this order", (Argument("versions", "numbers"),)
    ),
    "suspend": OrderKind(33, "D0 exit, then CLOSE, keeping the functions"),
    "resume": OrderKind(34, "OPEN, and bring the same functions up again"),
    "remove": OrderKind(35, "let go of the bus: functions, D0 exit, CLOSE"),
    "bind": OrderKind(36, "give a function its driver", (WSLOT,)),
    "unbind": OrderKind(37, "take a function's driver away", (WSLOT,)),
    "rescan": OrderKind(38, "look for new functions on all buses"),
    "submit": OrderKind(39, "use the device so often", (WSLOT, Argument("count", default=1))),
    "open-device": OrderKind(40, "a process opens the device", (WSLOT,)),
    "close-device": OrderKind(41, "the process closes it", (WSLOT,)),
    "set-affinity": OrderKind(
        42,
        "let these processors take an interrupt",
        (WSLOT, Argument("vector"), Argument("cpus", "numbers")),
    ),
    "read-block": OrderKind(
        43, "read a configuration block", (WSLOT, Argument("block"), Argument("size"))
    ),
    "write-block": OrderKind(
        44, "write a configuration block", (WSLOT, Argument("block"), Argument("data", "bytes"))
    ),
}
ORDERS: Final[Mapping[str, OrderKind]] = {**HOST_ORDERS, **GUEST_ORDERS}
ORDER_NAMES: Final[Mapping[int, str]] = {kind.number: name for name, kind in ORDERS.items()}


def mask_of(names: Sequence[str]) -> int:
    """HELLO's ``orders`` for who can do these."""
    return sum(1 << ORDERS[name].number for name in names)


def words_of(name: str, arguments: Mapping[str, Value]) -> tuple[int, ...]:
    """The words of an order. Raises KeyError for an argument that is missing."""
    words: list[int] = []
    for argument in ORDERS[name].arguments:
        default = argument.default
        value = (
            arguments[argument.name] if default is None else arguments.get(argument.name, default)
        )
        words += _words(argument.shape, value)
    return tuple(words)


def arguments_of(name: str, words: Sequence[int]) -> dict[str, Value]:
    """The arguments again. Raises RemoteProtocolError for too few words, or too many."""
    left = list(words)
    found: dict[str, Value] = {}
    for argument in ORDERS[name].arguments:
        if argument.shape not in REST and not left:
            raise RemoteProtocolError(f"the order {name} lacks its {argument.name}")
        taken = left[:] if argument.shape in REST else left[:1]
        del left[: len(taken)]
        found[argument.name] = _value(name, argument, taken)
    if left:
        raise RemoteProtocolError(f"the order {name} has {len(left)} words too many")
    return found


def _words(shape: Shape, value: Value) -> Sequence[int]:
    if isinstance(value, (bytes, tuple)):
        return list(value)
    if isinstance(value, str):
        return [MessageType[value] if shape == "message" else NAMES[shape].index(value)]
    return [value]


def _value(name: str, argument: Argument, words: list[int]) -> Value:
    try:
        if argument.shape == "bytes":
            return bytes(words)
        if argument.shape == "message":
            return MessageType(words[0]).name
        if argument.shape in NAMES:
            return NAMES[argument.shape][words[0]]
    except (ValueError, IndexError):
        raise RemoteProtocolError(f"the order {name} has no such {argument.name}") from None
    return tuple(words) if argument.shape == "numbers" else words[0]
