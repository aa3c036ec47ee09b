# SPDX-License-Identifier: MIT
"""Each kind of violation reads as the kernel's own tools would tell it."""

from __future__ import annotations

import pytest

from sim.report.violation import HEADLINES, report_lines
from sim.scenario_grammar import VIOLATION_KINDS
from sim.violation import Violation, Whose

EJECT = "work/1:hv_eject_device_work/hv_pci_96f2#2"
RULES = "the kernel's own rules"


def told(
    kind: str,
    message: str,
    *,
    law: str = RULES,
    context: str = EJECT,
    stacks: tuple[tuple[str, ...], ...] = (),
    whose: tuple[Whose, ...] = (),
) -> list[str]:
    """The report between its rules."""
    violation = Violation(kind, law, message, context, 12_345_678, stacks, whose)
    first, *lines, last = report_lines(violation)
    assert first == last == "=" * 66
    return lines


def test_a_use_after_free_has_the_shape_of_kasan() -> None:
    lines = told(
        "use-after-free",
        "HvPciDev.hbus read after its lifetime",
        stacks=(
            ("put_pcichild", "hv_eject_device_work"),
            ("new_pcichild_device", "pci_devices_present_work"),
            ("put_pcichild", "hv_pci_remove"),
        ),
        whose=(
            Whose("access", EJECT, 12_345_678),
            Whose("allocated", "work/1:pci_devices_present_work/hv_pci_96f2#1", 3_000_000),
            Whose("freed", "work/0:vmbus_onoffer_rescind/hv_vmbus_con#1", 12_300_000),
        ),
    )
    assert lines == [
        "BUG: KASAN: slab-use-after-free in put_pcichild",
        "Read of HvPciDev.hbus by task hv_eject_device_work/hv_pci_96f2#2 at 12.346 ms",
        "",
        "Call trace:",
        " put_pcichild",
        " hv_eject_device_work",
        "",
        "Allocated by task pci_devices_present_work/hv_pci_96f2#1 at 3.000 ms:",
        " new_pcichild_device",
        " pci_devices_present_work",
        "",
        "Freed by task vmbus_onoffer_rescind/hv_vmbus_con#1 at 12.300 ms:",
        " put_pcichild",
        " hv_pci_remove",
    ]


def test_a_stack_that_nobody_claims_is_the_one_the_violation_was_found_at() -> None:
    lines = told("crash", "unexpected", stacks=(("hv_msi_free",),))
    assert lines == [
        "kernel BUG in hv_msi_free",
        "unexpected",
        "in task hv_eject_device_work/hv_pci_96f2#2 at 12.346 ms",
        "",
        "Call trace:",
        " hv_msi_free",
    ]


def test_a_deadlock_says_of_each_context_what_it_holds_and_waits_for() -> None:
    message = (
        "hv_eject_device_work/hv_pci_96f2 waits for state_lock and holds pci_rescan_remove_lock;"
        " hv_pci_remove waits for pci_rescan_remove_lock and holds state_lock"
    )
    lines = told(
        "deadlock",
        message,
        law="everybody gets on",
        context="hv_eject_device_work/hv_pci_96f2",
        stacks=(("mutex_lock", "hv_eject_device_work"), ("mutex_lock", "hv_pci_remove")),
        whose=(
            Whose("waits", "work/1:hv_eject_device_work/hv_pci_96f2", 12_345_678),
            Whose("waits", "thread/1:hv_pci_remove", 12_345_678),
        ),
    )
    assert lines == [
        "WARNING: circular locking dependency detected",
        "  hv_eject_device_work/hv_pci_96f2 waits for state_lock and holds pci_rescan_remove_lock",
        "  hv_pci_remove waits for pci_rescan_remove_lock and holds state_lock",
        "noticed at 12.346 ms",
        "",
        "Call trace of hv_eject_device_work/hv_pci_96f2:",
        " mutex_lock",
        " hv_eject_device_work",
        "",
        "Call trace of hv_pci_remove:",
        " mutex_lock",
        " hv_pci_remove",
    ]


@pytest.mark.parametrize(
    ("kind", "message", "headline"),
    [
        ("double-free", "kfree() of <dead HvPciDev>", "BUG: KASAN: double-free in {f}"),
        ("dead-stack", "Reply.done", "BUG: KASAN: stack-use-after-return in {f}"),
        ("out-of-bounds", "probed_bar[6] of 6", "BUG: KASAN: slab-out-of-bounds in {f}"),
        ("uninitialised", "ctrl", "BUG: KMSAN: uninit-value in {f}"),
        ("data-race", "hbus->state", "BUG: KCSAN: data-race in {f}"),
        ("list-corruption", "list_del", "list corruption in {f}"),
        ("null-dereference", "hbus->wq", "BUG: kernel NULL pointer dereference in {f}"),
        ("refcount", "below zero", "WARNING: refcount_t: use-after-free in {f}"),
        (
            "sleep-in-atomic",
            "msleep",
            "BUG: sleeping function called from invalid context in {f}",
        ),
        ("deadlock", "a takes b which it already holds", "WARNING: recursive locking detected"),
        (
            "deadlock",
            "a releases b which it does not hold",
            "WARNING: bad unlock balance detected!",
        ),
        ("hang", "{f} waits for done", "INFO: task {f}/hv_pci_96f2#2 blocked for ever"),
        ("hang", "CPU#0 stuck for 20 s: x", "watchdog: BUG: soft lockup - CPU#0 stuck for 20 s: x"),
        ("hang", "more than 9 steps; {f} waits for its CPU", "INFO: more than 9 steps"),
        ("hang", "it looks in vain; {f} waits for done", "INFO: it looks in vain"),
        ("hang", "nothing happened for 600 s", "INFO: nothing happened for 600 s"),
        ("warning", "ended atomic", "WARNING: in {f}"),
        ("leak", "left behind: 1 HvPciDev", "BUG: memory leak"),
        ("protocol", "twice", "law broken: the kernel's own rules"),
        ("wrong-value", "else", "law broken: the kernel's own rules"),
        ("dead-device-access", "read", "law broken: the kernel's own rules"),
        ("lost-interrupt", "vector 3", "law broken: the kernel's own rules"),
        ("lost-device", "slot 0", "law broken: the kernel's own rules"),
    ],
)
def test_each_kind_has_a_headline_in_the_kernels_words(
    kind: str, message: str, headline: str
) -> None:
    assert told(kind, message)[0] == headline.format(f="hv_eject_device_work")


def test_every_kind_of_violation_has_a_headline() -> None:
    assert set(HEADLINES) == set(VIOLATION_KINDS)


def test_what_is_found_at_the_end_is_no_tasks_doing() -> None:
    lines = told("leak", "left behind: 1 HvPciDev", context="end of run")
    assert lines == [
        "BUG: memory leak",
        "left behind: 1 HvPciDev",
        "end of run, at 12.346 ms",
    ]
