# SPDX-License-Identifier: MIT
"""Lawful variations and faults of a host, by name. Knows nothing of how they are played.

No source we read states what a real Hyper-V host does in these places, or hosts differ in them.
So each is a knob, and its description says where the default comes from. Statuses are NTSTATUS
values as unsigned 32-bit numbers.
"""

from typing import Annotated, Final, Literal, get_type_hints

import msgspec

SECOND_NS: Final = 1_000_000_000


def _doc(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class Knobs(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """The defaults written here are those of profile ``hyperv``."""

    # VMBus and the hypervisor
    highest_vmbus_version: Annotated[
        str, _doc("Newest VMBus version the host accepts; 5.0 and later have a second port.")
    ] = "5.3"
    reoffer: Annotated[
        Literal["after-release", "at-once"],
        _doc(
            "When an instance that was rescinded is offered again: once the guest released the old"
            " relid (OpenVMM), or without waiting. Not established for Windows."
        ),
    ] = "after-release"
    placement: Annotated[
        Literal["create-vp", "retarget-vp", "one-pcpu", "least-loaded"],
        _doc(
            "Which physical CPU takes an interrupt. Default: chosen by the VP in the create message"
            " and kept at retarget (comment above hv_compose_msi_req_get_cpu)."
        ),
    ] = "create-vp"
    msi_table: Annotated[
        Literal["remappable", "software"],
        _doc(
            "What interrupt messages look like. `software` is OpenVMM's own table, which ignores"
            " the data and so folds a multi-MSI block on its first vector. Guests must not care."
        ),
    ] = "remappable"

    # Versions
    versions: Annotated[
        tuple[str, ...], _doc("vPCI versions the host accepts. Default: those Linux offers.")
    ] = ("1.1", "1.2", "1.3", "1.4")
    refused_versions: Annotated[
        tuple[str, ...], _doc("Versions taken out of `versions`: an older host.")
    ] = ()
    version_refusal_status: Annotated[
        int,
        _doc(
            "Answer to a version not accepted. 0xC0000059 makes the guest try the next; any other"
            " failure ends its probe (hv_pci_protocol_negotiation)."
        ),
    ] = 0xC0000059
    reply_version: Annotated[
        str,
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
        int,
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
        int,
        _doc("Answer to a known request in the wrong state. Model: not established."),
    ] = 0xC0000184
    bad_request_status: Annotated[
        int,
        _doc(
            "Answer to a damaged request, an unknown type or an unknown slot. Model: OpenVMM's"
            " BAD_DATA, not established for Windows."
        ),
    ] = 0xC000090B
    unsupported_status: Annotated[
        int, _doc("Answer to RESET_DEVICE and other requests the host knows and refuses.")
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
        int, _doc("Live interrupt blocks per function. Default: what MSI-X can hold.")
    ] = 2048
    max_vectors: Annotated[int, _doc("Vectors in one block (multi-MSI's limit).")] = 32
    max_processors: Annotated[int, _doc("Processors one request may name.")] = 32
    all_processors_mask: Annotated[
        bool,
        _doc("Accept version 1.1's all-ones mask as `any processor`; Linux sends nothing else."),
    ] = True
    max_block_bytes: Annotated[int, _doc("Largest configuration block (Linux: 128).")] = 128

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
        int, _doc("Grace between EJECT and removal by force (comment in hv_eject_device_work).")
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

    # Flow control
    reply_room_bytes: Annotated[
        int,
        _doc(
            "Room the host->guest ring must have before a request is read, capped to the ring."
            " 0: only as much as the reply needs. OpenVMM: 39,680."
        ),
    ] = 0

    # Faults
    repeat_eject: Annotated[bool, _doc("Fault: send each EJECT twice (open item O3).")] = False
    list_omits_ejecting: Annotated[
        bool,
        _doc("Fault: send a list without the function right behind EJECT (open items O1, O2)."),
    ] = False
    unassign_at_eject: Annotated[
        bool, _doc("Fault: take the registers away at EJECT (openvmm issue 3077, open item O19).")
    ] = False


def knob_descriptions() -> dict[str, str]:
    """Return knob name to what it does and where its default comes from."""
    hints = get_type_hints(Knobs, include_extras=True)
    return {name: hints[name].__metadata__[0].description for name in Knobs.__struct_fields__}


def with_knobs(defaults: Knobs, changes: dict[str, object]) -> Knobs:
    """Return the defaults with these knobs turned.

    Raises ValueError that names the knob and the remedy, for a name or a value that does not fit.
    """
    unknown = sorted(set(changes) - set(Knobs.__struct_fields__))
    if unknown:
        known = ", ".join(Knobs.__struct_fields__)
        raise ValueError(f"unknown knob {unknown[0]!r}; known: {known}")
    merged = {**msgspec.structs.asdict(defaults), **changes}
    try:
        return msgspec.convert(merged, Knobs)
    except msgspec.ValidationError as error:
        raise ValueError(f"knob has the wrong type: {error}") from None
