# SPDX-License-Identifier: MIT
"""Naming a processor that is not there is the guest's mistake; other refusals need not be."""

from __future__ import annotations

from host.events import InterruptRefused, InterruptRetargeted
from protocol.hypercall import HV_STATUS_INVALID_DEVICE_ID, HV_STATUS_INVALID_VP_INDEX
from sim.oracles.laws.processors_exist import ProcessorsExist
from tests.sim.oracles.laws.tale import BUS, SLOT, broken, holds


def retargeted(status: int) -> InterruptRetargeted:
    return InterruptRetargeted(0x12345678, 0xFEE0_0000, 7, 33, (36,), status)


def test_a_retarget_names_processors_that_exist() -> None:
    assert holds(ProcessorsExist, retargeted(0))
    violation = broken(ProcessorsExist, retargeted(HV_STATUS_INVALID_VP_INDEX))
    assert violation.kind == "protocol"
    assert "VP 36" in violation.message


def test_a_request_names_processors_that_exist() -> None:
    violation = broken(ProcessorsExist, InterruptRefused(BUS, SLOT, HV_STATUS_INVALID_VP_INDEX))
    assert BUS in violation.message


def test_a_function_that_has_gone_meanwhile_is_nobodys_mistake() -> None:
    refused = InterruptRefused(BUS, SLOT, HV_STATUS_INVALID_DEVICE_ID)
    assert holds(ProcessorsExist, retargeted(HV_STATUS_INVALID_DEVICE_ID), refused)
