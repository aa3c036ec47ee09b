# SPDX-License-Identifier: MIT
"""What a host plays to a guest in these cases: pieces of scenario files, and the usual ones.

Waits are for events of the host, so that any guest can be put to them; what is done in the guest
(unbind, suspend, read a block) is said where it is needed. Knows no case and no check.
"""

from __future__ import annotations

from typing import Final

from protocol.codec import WireRecord

SETTLED_NS: Final = 20_000_000  # an arrival takes a millisecond
LONG_NS: Final = 100_000_000_000  # longer than a host's patience with an eject
AGE_NS: Final = 200_000_000_000  # nobody waits so long who counts
PATIENT: Final = f"""
[host.knobs]
eject_timeout_ns = {2 * LONG_NS}
"""


def do(verb: str, device: str = "nvme0", **arguments: int | str) -> str:
    """One step on a device."""
    more = "".join(
        f", {key} = {value}" if isinstance(value, int) else f', {key} = "{value}"'
        for key, value in arguments.items()
    )
    return f'{{ do = "{verb}", device = "{device}"{more} }}'


def wait(event: str, *, after_ns: int = SETTLED_NS, count: int | None = None) -> str:
    """Until an event of the host, and a while longer."""
    number = "" if count is None else f", count = {count}"
    return f'{{ wait = "{event}"{number}, after_ns = {after_ns} }}'


def after(ns: int) -> str:
    """A while."""
    return f"{{ after_ns = {ns} }}"


def actor(name: str, *steps: str) -> str:
    """Somebody who does these steps one after another."""
    lines = "".join(f"  {step},\n" for step in steps)
    return f'\n[[actor]]\nname = "{name}"\nsteps = [\n{lines}]\n'


def administrator(*steps: str) -> str:
    """The host's administrator, who begins with an offer."""
    return actor("administrator", do("offer"), *steps)


def knobs(**values: object) -> str:
    """The host's knobs, written as TOML."""
    lines = (f"{name} = {str(value).lower()}\n" for name, value in values.items())
    return "\n[host.knobs]\n" + "".join(lines)


def slow_messages(ns: int) -> str:
    """The host answers each control message so much later, and one after another."""
    return f"\n[host.latency_ns]\nmessage = {ns}\n"


def forge(payload: bytes) -> str:
    """The host sends this message."""
    return do("forge-packet", data=payload.hex())


def repeated(count: int, *steps: str) -> str:
    """These steps so often."""
    return f"{{ repeat = {count}, steps = [{', '.join(steps)}] }}"


def forge_message(message: WireRecord) -> str:
    """The host sends this control message."""
    return f'{{ do = "forge-message", data = "{message.build().hex()}" }}'


def answered_late(message: str) -> str:
    """The host answers this request, the only one then, with a success after ``AGE_NS``."""
    return administrator(
        do("ignore-next", message=message),
        after(AGE_NS + SETTLED_NS),
        do("answer-late", message=message, data="00000000"),
        after(SETTLED_NS),
    )


ASSIGNED: Final = wait("resources-assigned")
ARRIVAL: Final = administrator(ASSIGNED)
LIFE: Final = PATIENT + administrator(
    ASSIGNED, do("interrupt"), after(SETTLED_NS), do("eject"), after(LONG_NS)
)
SPARSE: Final = """
[guest]
vp_numbers = [0, 5]
""" + administrator(ASSIGNED)
SINGLE_MSI: Final = """
[[device]]
name = "card0"
profile = "multi-msi"
vectors = 1
"""
SECOND: Final = 2  # the slot of the second function
TWO: Final = f"""
[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "nvme"

[[device]]
name = "nvme1"
profile = "nvme-ssd"
driver = "nvme"
bus = "nvme0"
slot = {SECOND}
"""
TWO_ARRIVE: Final = TWO + administrator(ASSIGNED)
TWO_EJECT_ONE: Final = TWO + PATIENT + administrator(ASSIGNED, do("eject", "nvme1"), after(LONG_NS))
UNBIND: Final = administrator() + actor("user", ASSIGNED, do("unbind-bus"), after(SETTLED_NS))
RESCIND: Final = administrator(ASSIGNED, do("rescind"), after(SETTLED_NS))
# The GPU's driver keeps its vectors while the machine is off.
HIBERNATE: Final = (
    """
[[device]]
name = "gpu0"
profile = "gpu"
driver = "gpu"
"""
    + actor("administrator", do("offer", "gpu0"))
    + actor(
        "user",
        ASSIGNED,
        '{ do = "suspend" }',
        after(1_000_000_000),
        '{ do = "resume" }',
        after(SETTLED_NS),
    )
)
NIC: Final = """
[[device]]
name = "nic0"
profile = "nic-vf"
driver = "nic-vf"
"""
NIC_OFFERED: Final = NIC + actor("administrator", do("offer", "nic0"))
BLOCK: Final = bytes(range(1, 9))
BLOCKS: Final = NIC_OFFERED + actor(
    "driver",
    ASSIGNED,
    do("read-block", "nic0", block=0, size=128),
    do("write-block", "nic0", block=1, data=BLOCK.hex()),
    after(SETTLED_NS),
)
