# SPDX-License-Identifier: MIT
"""The grammar of scenario files as tables: every table, key and step, with what each is for.

``sim/scenario_reader.py`` reads files by these rows and ``vpcisim scenarios --grammar`` prints
them, so the two cannot disagree. Knows no file and no world; the names of knobs, events, device
profiles and function drivers belong to those who make them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple

from sim.scenario_kinds import (
    DURATION_NS,
    FLAG,
    HEX,
    RANGE,
    TEXT,
    WINDOW_NS,
    WORD,
    Kind,
    many,
    number,
    one_of,
)

# Hyper-V's limit for one VM (Windows Server 2025); VP numbers go on to what a VP set can name.
VCPUS_MAX: Final = 2_048
VP_NUMBER_MAX: Final = 4_095
NODES_MAX: Final = 64  # Hyper-V's limit for one VM
DEVICES_MAX: Final = 2_047  # a channel each, and SINT 2 has event flags 1 to 2,047
VECTORS_MAX: Final = 2_048  # what one MSI-X table holds
INDEX_MIN: Final = 2**20  # no ring is as large
REPEAT_MAX: Final = 1_000
STEPS_MAX: Final = 100_000  # of one actor, once repeats are written out

PROTOCOLS: Final = ("1.4", "1.3", "1.2", "1.1")
PROFILES: Final = ("hyperv", "openvmm")
ARCHITECTURES: Final = ("x86-64", "arm64")
DRIVERS: Final = ("model", "kernel")
ISOLATIONS: Final = ("none", "cvm")
RINGS: Final = ("to-guest", "to-host")
ACCESSES: Final = ("read", "write", "both")
OPEN_ITEMS: Final = tuple(f"O{number}" for number in range(1, 40))
FRAMEBUFFER: Final = ("told", "guessed", "unknown")  # guessed: at the lowest address for BARs
VIOLATION_KINDS: Final = (
    *("use-after-free", "double-free", "dead-stack", "list-corruption", "null-dereference"),
    *("out-of-bounds", "uninitialised", "refcount", "sleep-in-atomic", "deadlock", "hang", "leak"),
    *("data-race", "crash", "warning", "protocol", "wrong-value", "dead-device-access"),
    *("lost-interrupt", "lost-device"),
)
GUEST_ERRORS: Final = (
    *("EPROTO", "ENODEV", "ENOMEM", "EINVAL", "ETIMEDOUT", "EIO", "EAGAIN", "ENOSPC", "EBUSY"),
    *("ENXIO", "ENOENT"),
)


class Absent(Enum):
    """Stands where a key has no default."""

    REQUIRED = "required"


class Key(NamedTuple):
    """One key: ``default`` is already read (a tuple where the file has a list), or REQUIRED."""

    name: str
    kind: Kind
    default: object
    says: str


class StepRow(NamedTuple):
    """One step: who does it, which keys it takes beyond ``do``, what it means."""

    verb: str
    side: str
    keys: tuple[Key, ...]
    says: str


REQUIRED: Final = Absent.REQUIRED

TOP: Final = (
    Key("name", WORD, REQUIRED, "what results call it; of a built-in, its file's name"),
    Key("story", TEXT, REQUIRED, "what happens, for a reader"),
    Key("drivers", many(one_of(DRIVERS), least=1), DRIVERS, "the guests that can play it"),
)
GUEST: Final = (
    Key("vcpus", number(1, VCPUS_MAX), 2, "virtual processors"),
    Key("arch", one_of(ARCHITECTURES), "x86-64", "whose interrupts; arm64 is the model's alone"),
    Key("protocol", many(one_of(PROTOCOLS), least=1), PROTOCOLS, "what it offers, highest first"),
    Key("isolation", one_of(ISOLATIONS), "none", "cvm: the host cannot see the guest's memory"),
    Key(
        "vmbus_cca",
        one_of(("absent", "coherent", "non-coherent")),
        "absent",
        "arm64: what the ACPI node of VMBus says of DMA",
    ),
    Key("numa_nodes", number(1, NODES_MAX), 1, "NUMA nodes of the VM"),
    Key("numa", FLAG, True, "false: the kernel was booted with numa=off and knows one node"),
    Key("offline_nodes", many(number(0, NODES_MAX - 1)), (), "nodes without CPUs and memory"),
    Key(
        "vp_numbers",
        many(number(0, VP_NUMBER_MAX)),
        (),
        "VP index of each vCPU; empty: the same numbers",
    ),
    Key("mmio", many(RANGE), None, "addresses for BARs; none: about 1 GiB below 4 GiB, and 15 TiB"),
    Key("framebuffer", RANGE, None, "what is kept of them for a framebuffer"),
)
HOST: Final = (
    Key("profile", one_of(PROFILES), "hyperv", "whose behaviour the host has"),
    Key("pcpus", number(1, VP_NUMBER_MAX + 1), 2, "physical processors"),
)
DEVICE: Final = (
    Key("name", WORD, REQUIRED, "how steps name it"),
    Key("profile", WORD, None, "a built-in device profile (vpcisim devices)"),
    Key("capture", TEXT, None, "instead: an lspci -vvv -xxxx capture, or a profile file"),
    Key("count", number(1, DEVICES_MAX), 1, "that many, called NAME0, NAME1 and so on"),
    Key("bus", WORD, None, "the device whose bus it shares; none: a bus of its own"),
    Key("slot", number(0, 31), 0, "PCI device number on the bus"),
    Key("function", number(0, 7), 0, "PCI function number"),
    Key("vectors", number(1, VECTORS_MAX), None, "interrupt vectors at most; none: one a vCPU"),
    Key("driver", WORD, "auto", "the sample function driver; auto: the profile's own, or none"),
    Key("rounds", number(0, 1_000), 1, "commands to each queue when the driver binds, if it tries"),
    Key("remove_ms", number(0, 600_000), 0, "how long the function driver's remove takes"),
    Key("present", FLAG, True, "whether the offer begins with it on the bus"),
    Key("numa_node", number(0, NODES_MAX - 1), None, "node the host reports, from 1.3 on"),
)
ACTOR: Final = (
    Key("name", WORD, REQUIRED, "who acts"),
    Key("vcpu", number(0, VCPUS_MAX - 1), None, "where its steps in the guest run; none: the last"),
)
FAULT_COUNT: Final = number(0, 1_000)
FAULTS: Final = (
    Key("allocation_failure", FAULT_COUNT, 0, "allocations the explorer may let fail"),
    Key("ring_full", FAULT_COUNT, 0, "packets that the guest may find no room for"),
    Key("lost_message", FAULT_COUNT, 0, "packets of the host that may never arrive"),
    Key("doubled_message", FAULT_COUNT, 0, "packets of the host that may arrive twice"),
    Key("status_code", FAULT_COUNT, 0, "requests the host may answer with STATUS_UNSUCCESSFUL"),
    Key("slow_host", FAULT_COUNT, 0, "turns for which the host may take 11 s, on one channel"),
    Key("mmio_call_failure", FAULT_COUNT, 0, "MMIO hypercalls that may fail, of a confidential VM"),
)
EXPECT: Final = (
    Key(
        "verdict",
        one_of(("clean", *VIOLATION_KINDS, *GUEST_ERRORS)),
        "clean",
        "clean, a violation's kind, or an error that the guest must report",
    ),
    Key("known", many(one_of(OPEN_ITEMS)), (), "open items of the driver that may show"),
)
NEEDS: Final = (
    Key("profile", many(one_of(PROFILES), least=1), PROFILES, "hosts that can play it"),
    Key(
        "protocol", many(one_of(PROTOCOLS), least=1), PROTOCOLS, "versions that have what it needs"
    ),
    Key("why", TEXT, REQUIRED, "the reason, given to whoever asks for another"),
)

# Tables of a file. Names of knobs and latencies are the host's: host/knobs.py, host/settings.py.
TABLES: Final[Mapping[str, tuple[Key, ...]]] = {
    "": TOP,
    "guest": GUEST,
    "host": HOST,
    "device": DEVICE,
    "actor": ACTOR,
    "faults": FAULTS,
    "expect": EXPECT,
    "needs": NEEDS,
}

_DEVICE: Final = Key("device", WORD, REQUIRED, "a device's name, or all of a counted one")
_VECTOR: Final = Key("vector", number(0, VECTORS_MAX - 1), 0, "index of the vector")
_TIMES: Final = Key("count", number(1, 10_000), 1, "how often")
_BLOCK: Final = Key("block", number(0, 63), REQUIRED, "number of the configuration block")
_CPU: Final = Key("cpu", number(0, VCPUS_MAX - 1), REQUIRED, "the vCPU")
_REQUEST: Final = Key("message", TEXT, REQUIRED, "the request's name, such as PCI_BUS_D0ENTRY")
_NS: Final = Key("ns", DURATION_NS, REQUIRED, "how long")

_STEP_ROWS: Final = (
    StepRow("offer", "host", (_DEVICE,), "offer the device's bus to the guest"),
    StepRow("eject", "host", (_DEVICE,), "ask the guest to give the device up"),
    StepRow("rescind", "host", (_DEVICE,), "take the bus's channel away"),
    StepRow("surprise-remove", "host", (_DEVICE,), "take the device away unasked"),
    StepRow("reoffer", "host", (_DEVICE,), "offer the bus again, as a new channel"),
    StepRow(
        "relations",
        "host",
        (_DEVICE, Key("functions", many(WORD), REQUIRED, "names of the devices on the bus now")),
        "change the list of functions on the device's bus and send it",
    ),
    StepRow(
        "invalidate-block",
        "host",
        (_DEVICE, Key("mask", number(1, 2**63 - 1), REQUIRED, "bit N is block N")),
        "tell the guest that configuration blocks are stale",
    ),
    StepRow(
        "fail-next",
        "host",
        (
            _DEVICE,
            _REQUEST,
            Key("status", number(0, 2**32 - 1), REQUIRED, "NTSTATUS to answer with"),
        ),
        "answer the next request of this kind with a status",
    ),
    StepRow(
        "answer-next",
        "host",
        (_DEVICE, _REQUEST, Key("data", HEX, REQUIRED, "the answer's payload, in hexadecimal")),
        "answer the next request of this kind with bytes that are no answer to it",
    ),
    StepRow(
        "ignore-next", "host", (_DEVICE, _REQUEST), "never answer the next request of this kind"
    ),
    StepRow(
        "answer-late",
        "host",
        (_DEVICE, _REQUEST, Key("data", HEX, REQUIRED, "the answer's payload, in hexadecimal")),
        "answer, or answer again, the last request of this kind that a step above was about",
    ),
    StepRow(
        "defer-access",
        "host",
        (
            _DEVICE,
            Key("kind", one_of(ACCESSES), "both", "which access"),
            Key("for_ns", DURATION_NS, 0, "for so long; 0: it never answers"),
        ),
        "let the device put off its next read and write of configuration space",
    ),
    StepRow("stall", "host", (_DEVICE, _NS), "let the host answer nothing on this bus for a while"),
    StepRow(
        "forge-packet",
        "host",
        (
            _DEVICE,
            Key("data", HEX, REQUIRED, "its payload, in hexadecimal"),
            Key("len8", number(0, 2**16 - 1), None, "its length, in 8 bytes; none: the true one"),
            Key("offset8", number(0, 2**16 - 1), None, "where its payload begins, likewise"),
        ),
        "a hostile host: put these bytes into the bus's ring as a message",
    ),
    StepRow(
        "forge-completion",
        "host",
        (
            _DEVICE,
            Key("request", number(0, 2**63 - 1), REQUIRED, "transaction id that it answers"),
            Key("data", HEX, REQUIRED, "its payload, in hexadecimal"),
        ),
        "a hostile host: answer a request again, or one that was never made",
    ),
    StepRow(
        "forge-message",
        "host",
        (Key("data", HEX, REQUIRED, "the message, in hexadecimal, at most 240 bytes"),),
        "a hostile host: send these bytes as a control message of VMBus",
    ),
    StepRow(
        "forge-index",
        "host",
        (
            _DEVICE,
            Key("ring", one_of(RINGS), REQUIRED, "which of the bus's rings"),
            Key("value", number(INDEX_MIN, 2**32 - 1), 2**32 - 1, "the index, beyond any ring"),
        ),
        "a hostile host: its index of a ring is this from now on",
    ),
    StepRow("interrupt", "host", (_DEVICE, _VECTOR, _TIMES), "let the device raise an interrupt"),
    StepRow("pause", "host", (_NS,), "wait"),
    StepRow("bind", "guest", (_DEVICE,), "bind the function driver"),
    StepRow("unbind", "guest", (_DEVICE,), "unbind the function driver"),
    StepRow(
        "submit",
        "guest",
        (_DEVICE, Key("queue", number(0, VECTORS_MAX - 1), 0, "queue"), _TIMES),
        "submit commands to one of the function's queues",
    ),
    StepRow("unload", "guest", (), "unload the vPCI driver"),
    StepRow("load", "guest", (), "load it again: it binds to the buses that are there"),
    StepRow("bind-bus", "guest", (_DEVICE,), "bind the vPCI driver to the device's bus"),
    StepRow("unbind-bus", "guest", (_DEVICE,), "unbind the vPCI driver from the device's bus"),
    StepRow(
        "driver-override",
        "guest",
        (_DEVICE, Key("driver", WORD, None, "its name; none: clear the override")),
        "name the one VMBus driver that may bind to the device's bus",
    ),
    StepRow("rescan", "guest", (_DEVICE,), "rescan the device's PCI bus through sysfs"),
    StepRow("crash", "machine", (), "the kernel dies on the actor's vCPU, as it stands"),
    StepRow(
        "boot",
        "machine",
        (
            Key("pages", number(1, 2**20), 16_384, "4-KiB pages that the new kernel has"),
            Key("framebuffer", one_of(FRAMEBUFFER), "told", "what it knows of where that is"),
        ),
        "boot a crash kernel on the vCPU that crashed: one CPU and little memory",
    ),
    StepRow(
        "set-affinity",
        "guest",
        (
            _DEVICE,
            _VECTOR,
            Key("cpus", many(number(0, VCPUS_MAX - 1), least=1), REQUIRED, "vCPUs allowed"),
        ),
        "write the interrupt's smp_affinity",
    ),
    StepRow(
        "move-channel",
        "guest",
        (_DEVICE, _CPU),
        "write the cpu attribute of the bus's channel: who takes its interrupts",
    ),
    StepRow("cpu-offline", "guest", (_CPU,), "take a vCPU offline"),
    StepRow("cpu-online", "guest", (_CPU,), "bring a vCPU back"),
    StepRow("open-device", "guest", (_DEVICE,), "a process opens the device"),
    StepRow("close-device", "guest", (_DEVICE,), "the process closes it"),
    StepRow(
        "read-block",
        "guest",
        (_DEVICE, _BLOCK, Key("size", number(1, 128), 128, "bytes asked for")),
        "the function driver reads a configuration block",
    ),
    StepRow(
        "write-block",
        "guest",
        (_DEVICE, _BLOCK, Key("data", HEX, REQUIRED, "its bytes, in hexadecimal")),
        "the function driver writes a configuration block",
    ),
    StepRow("suspend", "guest", (), "hibernate: until the machine is off, or could not be"),
    StepRow("resume", "guest", (), "switch the machine on: until it is back; nothing if it is on"),
)
STEPS: Final[Mapping[str, StepRow]] = {row.verb: row for row in _STEP_ROWS}

# Beside ``do``: what else may stand in a list of steps.
WAIT: Final = (
    Key("wait", TEXT, REQUIRED, "an event's name in kebab case, such as resources-assigned"),
    Key("device", WORD, None, "only the event of this device"),
    Key(
        "count",
        number(1, 100_000),
        None,
        "the N-th in the run; else the next after the last one waited for",
    ),
    Key("after_ns", DURATION_NS, 0, "and so much later"),
)
WITHIN: Final = (
    Key("within_ns", DURATION_NS, REQUIRED, "at some moment until then; in natural order, then"),
)
REPEAT: Final = (Key("repeat", number(1, REPEAT_MAX), REQUIRED, "how often to do its `steps`"),)

# An event that only a step brings about: without it a wait would never end.
CAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "eject-sent": ("eject",),
    "eject-complete-received": ("eject",),
    "eject-overdue": ("eject",),
    "eject-queued": ("eject", "forge-packet"),
    "eject-completed": ("eject", "forge-packet"),
    "rescinded": ("rescind", "eject", "surprise-remove"),
    "access-deferred": ("defer-access",),
    "block-invalidate-sent": ("invalidate-block",),
    "block-invalidated": ("invalidate-block",),
    "processes-frozen": ("suspend",),
    "machine-powered-off": ("suspend",),
    "machine-powered-on": ("resume",),
    "cpu-dying": ("cpu-offline", "suspend"),
    "cpu-offline": ("cpu-offline", "suspend"),
    "cpu-online": ("cpu-online", "resume"),
    "interrupt-shut-down": ("cpu-offline", "suspend"),
    "block-read": ("read-block", "bind", "offer"),
    "block-written": ("write-block", "bind", "offer"),
    "kernel-crashed": ("crash",),
    "unload-ended": ("crash",),
    "kernel-booted": ("boot",),
}
# A step that comes to nothing where nobody does another one.
REQUIRES: Final[Mapping[str, str]] = {"boot": "crash"}


def grammar_lines() -> Iterator[str]:
    """The whole grammar as text, a row a line."""
    for name, keys in TABLES.items():
        yield {"": "top", "device": "[[device]]", "actor": "[[actor]]"}.get(name, f"[{name}]")
        yield from (f"  {line}" for line in _key_lines(keys))
    yield "[host.knobs]  a host's lawful variations and faults, any of:"
    yield from (f"  {line}" for line in _knob_lines())
    yield f"[host.latency_ns]  {WINDOW_NS.says}, any of:"
    yield from (f"  {name}: default [{w[0]}, {w[1]}]" for name, w in _latencies().items())
    yield "steps of an actor"
    for row in STEPS.values():
        yield f"  do = {row.verb!r}  ({row.side}) {row.says}"
        yield from (f"    {line}" for line in _key_lines(row.keys))
    yield "  wait"
    yield from (f"    {line}" for line in _key_lines(WAIT))
    yield "  after_ns  wait that long"
    yield "  within_ns"
    yield from (f"    {line}" for line in _key_lines(WITHIN))
    yield "  repeat"
    yield from (f"    {line}" for line in _key_lines(REPEAT))


def _key_lines(keys: tuple[Key, ...]) -> Iterator[str]:
    for key in keys:
        default = "required" if key.default is REQUIRED else f"default {_shown(key.default)}"
        yield f"{key.name}: {key.kind.says}; {default}. {key.says}"


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value)


def _knob_lines() -> Iterator[str]:
    """A knob a line; another profile's default beside hyperv's where it differs."""
    from host.knobs import knob_rows, value_words  # the host's own table, read when asked for
    from host.profiles import PROFILES as HOST_PROFILES

    base = HOST_PROFILES["hyperv"].knobs
    for row in knob_rows():
        default = f"default {value_words(row.name, getattr(base, row.name))}"
        for profile in HOST_PROFILES.values():
            value = getattr(profile.knobs, row.name)
            if value != getattr(base, row.name):
                default += f" ({profile.name}: {value_words(row.name, value)})"
        yield f"{row.name}: {row.kind}; {default}. {row.meaning}"


def _latencies() -> Mapping[str, tuple[int, int]]:
    from host.settings import DEFAULT_LATENCY_NS

    return DEFAULT_LATENCY_NS
