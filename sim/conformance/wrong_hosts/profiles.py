# SPDX-License-Identifier: MIT
"""The other profile as a wrong host: what OpenVMM's host does where Windows' does otherwise."""

from __future__ import annotations

from typing import Final

from sim.conformance.wrong_hosts.row import WrongHost

ROWS: Final = (
    WrongHost(
        id="openvmm-for-hyperv",
        does="does what OpenVMM's does where Linux expects what Windows' does",
        catches=(
            "second-d0-entry-refused",
            "d0-outlives-close",
            "d0-exit-releases-interrupts",
            "list-without-room-refused",
            "last-dword-answers",
            "block-read",
            "block-read-in-part",
            "block-written",
            "id-0-not-answered",
            "relations-completion",
            "d0-entry-brings",
            "decoding-over-d0-exit",
            "odd-accesses",
            "slot-page-read",
            "pulled-out-packets",
            "reading-without-room",
            "guest-completion",
        ),
        profile="openvmm",
    ),
    WrongHost(
        id="hyperv-for-openvmm",
        does="does what Linux expects of Windows' where OpenVMM's does otherwise",
        catches=(
            "version-reply-names-1.3",
            "version-1.1-refused",
            "version-1.5-accepted",
            "query-before-version-ends-worker",
            "garbage-first-ends-worker",
            "second-version-query-ends-worker",
            "relations-completion-is-empty",
            "d0-entry-lists",
            "second-d0-entry-accepted",
            "d0-ends-with-close",
            "d0-exit-keeps-interrupts",
            "power-reply-is-a-status",
            "list-without-room-accepted",
            "zeros-clear-bars",
            "resources-null-at-first",
            "resources-as-assigned",
            "assigned-bar-written",
            "large-length-decoded",
            "records-answered-in-form-2",
            "third-record-fails",
            "release-takes-all-back",
            "odd-accesses-refused",
            "odd-writes-refused",
            "last-dword-refused",
            "slot-page-unreadable",
            "interrupts-end-with-channel",
            "no-vectors-granted",
            "any-processor-refused",
            "interrupt-granted-early",
            "pulled-out-without-a-word",
            "reads-only-with-room",
            "id-0-answered",
            "other-data-packets-served",
            "guest-completion-ends-worker",
        ),
    ),
)
