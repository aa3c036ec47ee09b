# SPDX-License-Identifier: MIT
"""Lawful variations and faults of a host, by name. Knows nothing of how they are played.

No source we read states what a real Hyper-V host does in these places, or hosts differ in them.
So each is a knob, and its description says where the default comes from. Statuses are NTSTATUS
values as unsigned 32-bit numbers. A knob's type is all that is ever asked about a value: the check
and the words of the grammar are made of it.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from protocol.versions import VMBUS_DIALECTS, VPCI_DIALECTS

SECOND_NS: Final = 1_000_000_000
DAY_NS: Final = 24 * 3600 * SECOND_NS  # far beyond every time-out of a driver or a host
MSIX_VECTORS_MAX: Final = 2_048  # the Table Size field of the MSI-X capability has 11 bits
MULTI_MSI_MAX: Final = 32  # the Multiple Message fields of the MSI capability
PROCESSORS_MAX: Final = 64  # the mask of version 1.1; a list of later ones holds 32
BLOCK_BYTES_MAX: Final = 128  # HV_CONFIG_BLOCK_SIZE_MAX
TRAILING_BYTES_MAX: Final = 256
REPETITIONS_MAX: Final = 2**12 - 1
UINT16_MAX: Final = 2**16 - 1
UINT32_MAX: Final = 2**32 - 1
SHOWN_MAX: Final = 40  # characters of a wrong value: an error stays one line


def _doc(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


def _one_of(*names: str) -> msgspec.Meta:
    """The words a string may be, as a pattern for the check and as they are for people."""
    pattern = "|".join(name.replace(".", r"\.") for name in names)
    return msgspec.Meta(pattern=rf"\A(?:{pattern})\Z", extra={"names": names})


_VPCI_NAMES: Final = tuple(dialect.name for dialect in VPCI_DIALECTS.values())
_VMBUS_NAMES: Final = tuple(dialect.name for dialect in VMBUS_DIALECTS.values())

Status = Annotated[int, msgspec.Meta(ge=0, le=UINT32_MAX, extra={"format": "#010x"})]
Refusal = Annotated[int, msgspec.Meta(ge=1, le=UINT32_MAX, extra={"format": "#010x"})]
HvStatus = Annotated[int, msgspec.Meta(ge=0, le=UINT16_MAX, extra={"format": "#06x"})]
VpciVersion = Annotated[str, _one_of(*_VPCI_NAMES)]
VmbusVersion = Annotated[str, _one_of(*_VMBUS_NAMES)]
ReplyVersion = Annotated[str, _one_of("highest", *_VPCI_NAMES)]


class Knobs(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """The defaults written here are those of profile ``hyperv``."""

    # VMBus and the hypervisor
    highest_vmbus_version: Annotated[
        VmbusVersion,
        _doc("Newest VMBus version the host accepts; 5.0 and later have a second port."),
    ] = "5.3"
    message_connection_id: Annotated[
        int,
        msgspec.Meta(ge=0, le=UINT32_MAX),
        _doc(
            "Connection that an answer to a contact at VMBus 5.0 and later names for what follows,"
            " and where it is then heard; 0: that of the contact. Linux goes by the answer."
        ),
    ] = 0
    messages_refused: Annotated[
        int,
        msgspec.Meta(ge=0, le=1_000),
        _doc(
            "How many messages the hypervisor has no buffer for before it takes the first. Linux"
            " posts each up to 100 times (vmbus_post_msg)."
        ),
    ] = 0
    repetitions_told: Annotated[
        int,
        msgspec.Meta(ge=0, le=REPETITIONS_MAX),
        _doc(
            "What stands above the status in the result of every hypercall, where the count of"
            " repetitions has its place. Guests must look at the low 16 bits alone (hv_result)."
        ),
    ] = 0
    reoffer: Annotated[
        Literal["after-release", "at-once"],
        _doc(
            "When an instance that was rescinded is offered again: once the guest released the old"
            " relid (OpenVMM), or without waiting. Not established for Windows."
        ),
    ] = "after-release"
    relids_after_unload: Annotated[
        Literal["other", "same"],
        _doc(
            "Under which relids a guest that connects again is offered what it had. Linux is ready"
            " for either (vmbus_onoffer); which it is on Hyper-V is not established."
        ),
    ] = "other"
    gpadl_of_unknown_channel: Annotated[
        Literal["refused", "unanswered"],
        _doc(
            "What a GPADL for a relid that nobody has gets. Refused, since a Linux guest that has"
            " lost a device over hibernation gets on (commit 19873eec7e13); not established."
        ),
    ] = "refused"
    placement: Annotated[
        Literal["create-vp", "retarget-vp", "one-pcpu", "least-loaded"],
        _doc(
            "Which physical CPU takes an interrupt. Default: chosen by the VP in the create message"
            " and kept at retarget (comment above hv_compose_msi_req_get_cpu)."
        ),
    ] = "create-vp"
    absent_mmio_status: Annotated[
        HvStatus,
        _doc(
            "What an MMIO hypercall gives where nobody answers, such as a configuration window that"
            " went with its channel: 0 and all ones, or an HV_STATUS and nothing. Not established."
        ),
    ] = 0
    msi_table: Annotated[
        Literal["remappable", "software"],
        _doc(
            "What interrupt messages look like. `software` is OpenVMM's own table, which ignores"
            " the data and so folds a multi-MSI block on its first vector. Guests must not care."
        ),
    ] = "remappable"

    # Versions
    versions: Annotated[
        tuple[VpciVersion, ...],
        msgspec.Meta(min_length=1),
        _doc("vPCI versions the host accepts. Default: those Linux offers."),
    ] = ("1.1", "1.2", "1.3", "1.4")
    refused_versions: Annotated[
        tuple[VpciVersion, ...], _doc("Versions taken out of `versions`: an older host.")
    ] = ()
    version_refusal_status: Annotated[
        Refusal,
        _doc(
            "Answer to a version not accepted. 0xC0000059 makes the guest try the next; any other"
            " failure ends its probe (hv_pci_protocol_negotiation)."
        ),
    ] = 0xC0000059
    reply_version: Annotated[
        ReplyVersion,
        _doc(
            "Version field of the reply: `highest` that the host accepts (mu_msvm documents it so),"
            " or a fixed one. Linux ignores it."
        ),
    ] = "highest"

    # Relations and power
    relations_after_d0: Annotated[
        bool,
        _doc(
            "Send the list again on D0 entry. OpenVMM does. Model: not established for Windows;"
            " off, which is the sequence Linux describes."
        ),
    ] = False
    relations_before_d0_completion: Annotated[
        bool,
        _doc("With relations_after_d0: list first, then the completion (OpenVMM PR 1500)."),
    ] = True
    query_relations_completion: Annotated[
        Literal["empty", "status"],
        _doc(
            "What a completion asked for by QUERY_BUS_RELATIONS carries: `empty` (OpenVMM; Linux"
            " drops it) or `status`. It goes before the list."
        ),
    ] = "status"
    relations_before_query: Annotated[
        bool,
        _doc("Send changed relations to a guest that never asked for them."),
    ] = False
    second_d0_status: Annotated[
        Status,
        _doc(
            "Answer to D0 entry while in D0, 0xC0000184 INVALID_DEVICE_STATE, and 0 to accept."
            " Model: the usual reading of Linux's retry; no source states the code."
        ),
    ] = 0xC0000184
    power_survives_close: Annotated[
        bool,
        _doc(
            "A channel closed without D0 exit leaves the bus in D0 and its resources assigned, so"
            " that a kdump kernel's D0 entry is refused (commit c81992e7f4aa)."
        ),
    ] = True
    d0_exit_releases_resources: Annotated[
        bool,
        _doc(
            "D0 exit releases resources and interrupts. Linux's remove path relies on it: it sends"
            " no RESOURCES_RELEASED. OpenVMM keeps them."
        ),
    ] = True

    # Requests
    out_of_order_status: Annotated[
        Status,
        _doc("Answer to a known request in the wrong state. Model: not established."),
    ] = 0xC0000184
    bad_request_status: Annotated[
        Status,
        _doc(
            "Answer to a damaged request, an unknown type or an unknown slot. Model: OpenVMM's"
            " BAD_DATA, not established for Windows."
        ),
    ] = 0xC000090B
    unsupported_status: Annotated[
        Status, _doc("Answer to RESET_DEVICE and other requests the host knows and refuses.")
    ] = 0xC00000BB
    assigned_needs_record_room: Annotated[
        bool,
        _doc(
            "RESOURCES_ASSIGNED must have room for one interrupt record. OpenVMM's client pads"
            " `to satisfy Hyper-V`, and Linux's structure has the room."
        ),
    ] = True
    interrupts_need_resources: Annotated[
        bool,
        _doc("Interrupts are created only for functions with RESOURCES_ASSIGNED. OpenVMM: any."),
    ] = True
    zero_vectors_accepted: Annotated[
        bool,
        _doc("A request for no vectors succeeds with an empty message, as in OpenVMM."),
    ] = False
    max_interrupts: Annotated[
        int,
        msgspec.Meta(ge=0, le=MSIX_VECTORS_MAX),
        _doc("Live interrupt blocks per function. Default: what MSI-X can hold."),
    ] = MSIX_VECTORS_MAX
    max_vectors: Annotated[
        int,
        msgspec.Meta(ge=1, le=MULTI_MSI_MAX),
        _doc("Vectors in one block (multi-MSI's limit)."),
    ] = MULTI_MSI_MAX
    max_processors: Annotated[
        int,
        msgspec.Meta(ge=1, le=PROCESSORS_MAX),
        _doc("Processors one request may name."),
    ] = 32
    all_processors_mask: Annotated[
        bool,
        _doc("Accept version 1.1's all-ones mask as `any processor`; Linux sends nothing else."),
    ] = True
    max_block_bytes: Annotated[
        int,
        msgspec.Meta(ge=1, le=BLOCK_BYTES_MAX),
        _doc("Largest configuration block (Linux: 128)."),
    ] = BLOCK_BYTES_MAX

    # Removal
    eject_supported: Annotated[bool, _doc("Whether this host ever sends EJECT.")] = True
    eject_before_resources_assigned: Annotated[
        bool,
        _doc(
            "Send EJECT to a guest that has not sent RESOURCES_ASSIGNED. Off: it gets a list"
            " without the function instead (commit 340d45569940); a driver that has not linked the"
            " child drops an EJECT (open item O4)."
        ),
    ] = False
    list_while_ejecting: Annotated[
        bool,
        _doc(
            "Send the list after each ejection though another is under way. Off: after the last."
            " A function that is being ejected may be neither listed again (the guest would take it"
            " for a new one) nor left out (open item O1). Model: not established."
        ),
    ] = False
    eject_timeout_ns: Annotated[
        int,
        msgspec.Meta(ge=0, le=DAY_NS),
        _doc("Grace between EJECT and removal by force (comment in hv_eject_device_work)."),
    ] = 60 * SECOND_NS
    overdue_eject_rescinds: Annotated[
        bool,
        _doc(
            "An overdue function takes the whole bus with it. Off: only a list without it, while"
            " others remain. Model: one function a bus is the only tested case."
        ),
    ] = True
    rescind_after_last: Annotated[
        bool, _doc("Rescind the channel once its last function is gone.")
    ] = True
    surprise_removal_sends_list: Annotated[
        bool, _doc("A surprise removal sends a list without the functions before the rescind.")
    ] = True

    # Window
    window_must_be_aligned: Annotated[
        bool,
        _doc("Refuse a configuration window that is not page-aligned. OpenVMM does not look."),
    ] = True
    last_dword_refused: Annotated[
        bool,
        _doc("Refuse the last access of the configuration page (0xFFC), as OpenVMM does."),
    ] = False
    unaligned_config_refused: Annotated[
        bool, _doc("Answer all ones to unaligned configuration accesses, as OpenVMM does.")
    ] = False
    slot_page_readable: Annotated[
        bool, _doc("Reads of the slot page give the selected slot. Off: all ones.")
    ] = True

    access_patience_ns: Annotated[
        int,
        msgspec.Meta(ge=1, le=DAY_NS),
        _doc(
            "How long the host waits for a device that puts an access off (`defer-access`); then a"
            " read gives all ones and a write is lost. Model: not established; OpenVMM waits as"
            " long as its device does."
        ),
    ] = 10 * SECOND_NS

    # Flow control
    reply_room_bytes: Annotated[
        int,
        msgspec.Meta(ge=0, le=UINT32_MAX),
        _doc(
            "Room the host->guest ring must have before a request is read, capped to the ring."
            " 0: only as much as the reply needs. OpenVMM: 39,680."
        ),
    ] = 0

    # Answers
    id_zero_answered: Annotated[
        bool,
        _doc(
            "Complete a request whose transaction id is 0. Windows hosts do not (comment in Linux's"
            " vmbus_next_request_id()); OpenVMM takes any id."
        ),
    ] = False

    # Faults
    repeat_eject: Annotated[bool, _doc("Fault: send each EJECT twice (open item O3).")] = False
    list_omits_ejecting: Annotated[
        bool,
        _doc("Fault: send a list without the function right behind EJECT (open items O1, O2)."),
    ] = False
    list_before_eject: Annotated[
        bool, _doc("Fault: send a list without the function right ahead of EJECT (open item O2).")
    ] = False
    list_trailing_bytes: Annotated[
        int,
        msgspec.Meta(ge=0, le=TRAILING_BYTES_MAX),
        _doc(
            "Zero bytes behind a list's last entry. Lawful: a list is as long as its count says"
            " (hv_pci_onchannelcallback() asks for no less), and the ring pads it anyway."
        ),
    ] = 0
    told_bars: Annotated[
        Literal["true", "wide-last", "io", "odd", "overflowing", "huge"],
        _doc(
            "Fault: what a function's BARs are said to be. `wide-last`: BAR 5 is the lower half of"
            " a 64-bit one (open item O13); `io`: BAR 0 is an I/O BAR; `odd`: its size is no power"
            " of two; `overflowing`: two sizes sum up to 2**64; `huge`: one that fits nowhere."
        ),
    ] = "true"
    told_mappings: Annotated[
        Literal["true", "forged"],
        _doc(
            "Fault: `forged` answers CREATE_INTERRUPT with a message nobody made (open item O31)."
        ),
    ] = "true"
    overlong_blocks: Annotated[
        bool, _doc("Fault: answer READ_BLOCK with more bytes than were asked for.")
    ] = False
    repeat_rescind: Annotated[
        bool,
        _doc(
            "Fault: send each rescind twice, the second to the VM's last processor at the same time"
            " (a hostile host; commit e4d221b42354)."
        ),
    ] = False
    unload_ignored: Annotated[
        bool,
        _doc(
            "Fault: never answer UNLOAD, and keep every channel open until the next contact. Linux"
            " gives a host 100 s for it when it crashes (vmbus_wait_for_unload)."
        ),
    ] = False
    unassign_at_eject: Annotated[
        bool, _doc("Fault: take the registers away at EJECT (openvmm issue 3077, open item O19).")
    ] = False


class KnobError(ValueError):
    """A knob that nobody has, or a value it cannot take. ``remedy`` does without the name."""

    def __init__(self, name: str, remedy: str) -> None:
        super().__init__(f"knob {name}: {remedy}")
        self.name = name
        self.remedy = remedy


class KnobRow(NamedTuple):
    """One knob in words. ``kind`` completes the sentence "must be ..."."""

    name: str
    kind: str
    meaning: str


def knob_rows() -> Iterator[KnobRow]:
    """Every knob: what it may be, what it does and where its default comes from."""
    for name, hint in get_type_hints(Knobs, include_extras=True).items():
        yield KnobRow(name, _words(hint), _facts(hint)["description"])


def value_words(name: str, value: object) -> str:
    """A knob's value as a scenario file has it, statuses in hexadecimal."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(value) + "]"
    extra = _facts(get_type_hints(Knobs, include_extras=True)[name]).get("extra", {})
    return format(value, extra.get("format", ""))


def _facts(hint: Any) -> dict[str, Any]:
    """What the annotations of one type say, all together."""
    metas = getattr(hint, "__metadata__", ())
    slots = ("description", "ge", "le", "min_length", "extra")
    told = ((slot, getattr(meta, slot)) for meta in metas for slot in slots)
    return {slot: value for slot, value in told if value is not None}


def _words(hint: Any) -> str:
    facts = _facts(hint)
    plain = getattr(hint, "__origin__", hint) if facts else hint
    if get_origin(plain) is tuple:
        least = f", at least {facts['min_length']}" if "min_length" in facts else ""
        return f"a list, each {_words(get_args(plain)[0])}{least}"
    if plain is bool:
        return "true or false"
    if plain is int:
        return f"a whole number from {facts['ge']:_} to {facts['le']:_}"
    names = get_args(plain) if get_origin(plain) is Literal else facts["extra"]["names"]
    return "one of " + ", ".join(names)


def with_knobs(defaults: Knobs, changes: dict[str, object]) -> Knobs:
    """Return the defaults with these knobs turned.

    Raises KnobError, a ValueError, that names the knob and the remedy.
    """
    known = Knobs.__struct_fields__
    for name in changes:
        if name not in known:
            raise KnobError(name, f"unknown knob {name!r}; known: {', '.join(known)}")
        try:
            msgspec.convert({name: changes[name]}, Knobs)
        except msgspec.ValidationError:
            kind = next(row.kind for row in knob_rows() if row.name == name)
            raise KnobError(name, f"must be {kind}, not {_short(changes[name])}") from None
    return msgspec.convert({**msgspec.structs.asdict(defaults), **changes}, Knobs)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 3] + "..."
