# SPDX-License-Identifier: MIT
"""What a confidential guest refuses of its host before any channel is open."""

from __future__ import annotations

from errno import EINVAL
from uuid import UUID

import pytest

from guest.isolation import CVM, NONE, Isolation
from tests.guest.vmbus.scripted_host import INTERFACE, ScriptedHost

KEYBOARD = UUID("f912ad6d-2b17-48ea-bd65-f927a61c7684")


def connected(accept: int, isolation: Isolation) -> tuple[ScriptedHost, int]:
    """A guest that has tried to connect, and what came of it."""
    host = ScriptedHost(accept=accept, isolation=isolation)
    errors: list[int] = []

    async def connect() -> None:
        errors.append(await host.vmbus.connect())

    host.kernel.spawn_thread("connect", connect())
    host.engine.run()
    return host, errors[0]


@pytest.mark.parametrize("version", [0x50003, 0x50002])
def test_a_confidential_guest_needs_vmbus_5_2(version: int) -> None:
    assert connected(version, CVM)[1] == 0


@pytest.mark.parametrize("version", [0x50001, 0x40000])
def test_an_older_vmbus_is_refused_and_nothing_is_unloaded(version: int) -> None:
    host, error = connected(version, CVM)
    assert error == -EINVAL
    assert set(host.heard) == {"INITIATE_CONTACT"}
    assert connected(version, NONE)[1] == 0


@pytest.mark.wire_note("9.2e")
def test_devices_of_other_kinds_are_left_alone_and_their_relids_kept() -> None:
    host, _ = connected(0x50003, CVM)
    host.offer(5, interface=KEYBOARD)
    host.offer(6, interface=INTERFACE)
    host.rescind(5, delay_ns=2_000_000)
    host.engine.run()
    assert list(host.vmbus.channels) == [6]
    assert "RELID_RELEASED" not in host.heard
    assert host.vmbus.offer_in_progress == 0
    assert any("Invalid offer 5" in text for _, _, text in host.kernel.log_lines)
