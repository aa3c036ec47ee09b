# SPDX-License-Identifier: MIT
"""Delays and faults are said in the words of the driver."""

from __future__ import annotations

import pytest

from sim.explore.delays import Delay, FaultAt
from sim.explore.named import Named
from sim.explore.stops import Stop
from sim.explore.until import ended, late, reached, steps
from sim.report.sentences import ordinal, sentences

EJECT = "hv_eject_device_work/hv_pci_1#2"
REMOVE = "hv_pci_remove"
PRESENT = "pci_devices_present_work/hv_pci_1#1"
NAMES = (EJECT, REMOVE, PRESENT, "pci_devices_present_work/hv_pci_1#3", "")


def said(*delays: Delay) -> list[str]:
    return [" ".join(sentence) for sentence in sentences(Named(delays), NAMES)]


@pytest.mark.parametrize(
    ("until", "words"),
    [
        (ended(REMOVE), "`hv_pci_remove` has returned"),
        (
            reached(Stop(REMOVE, "unlock state_lock", 3)),
            "`hv_pci_remove` is at its 3rd `unlock state_lock`",
        ),
        (reached(Stop(REMOVE, "start", 1)), "`hv_pci_remove` is ready to begin"),
        ("idle", "nothing else can go on"),
        (late(), "nothing else can go on and time has passed"),
        (steps(1), "others have gone on for 1 choice"),
        (steps(5), "others have gone on for 5 choices"),
    ],
)
def test_a_delay_says_who_is_held_where_and_until_when(until: str, words: str) -> None:
    (sentence,) = said(Delay(EJECT, "lock state_lock", 2, until))
    assert sentence == f"delay `hv_eject_device_work` at its 2nd `lock state_lock` until {words}"


def test_who_has_not_begun_and_what_is_only_due_are_held_without_a_point() -> None:
    assert said(Delay(EJECT, "start"), Delay("rescind nvme0", ""), Delay("work nvme0", "", 2)) == [
        "delay `hv_eject_device_work` before it begins until nothing else can go on",
        "delay `rescind nvme0` when it is due until nothing else can go on",
        "delay `work nvme0` when it is due the 2nd time until nothing else can go on",
    ]


def test_of_two_contexts_with_one_function_each_has_its_whole_name() -> None:
    (sentence,) = said(Delay(PRESENT, "kfree"))
    assert sentence.startswith(f"delay `{PRESENT}` at its 1st `kfree`")


def test_a_fault_says_what_it_hits_and_which_time() -> None:
    faults = (
        FaultAt("fault ring-full", "PCI_EJECTION_COMPLETE", 1),
        FaultAt("fault slow-host", "", 2),
    )
    assert [" ".join(sentence) for sentence in sentences(Named((), faults), ())] == [
        "fault `ring-full` of PCI_EJECTION_COMPLETE, the 1st time it could happen",
        "fault `slow-host`, the 2nd time it could happen",
    ]


def test_ordinals_of_the_teens_are_no_exception_to_th() -> None:
    numbers = (1, 2, 3, 4, 11, 12, 13, 21, 111, 122)
    assert [ordinal(number) for number in numbers] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th", "122nd"),
    ]
