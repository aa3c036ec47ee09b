# SPDX-License-Identifier: MIT
"""What the real driver's guest tells: every event of a guest, or the reason why not."""

import re
from pathlib import Path

import msgspec

from guest import events
from guest.events import GuestEvent
from guest.kernel import cpu_events, irq_events
from guest.native import library, telling
from guest.native.library import Note
from guest.native.telling import NOT_TOLD, TOLD, event_of
from guest.pci_core import events as pci_events

SHIM = Path(telling.__file__).parent / "shim"


def _guest_events() -> set[type]:
    modules = (events, pci_events, cpu_events, irq_events)
    found = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    return {kind for kind in found if issubclass(kind, GuestEvent) and kind is not GuestEvent}


def _numbers_of_c() -> list[str]:
    text = (SHIM / "telling.h").read_text()
    match = re.search(r"enum vx_event \{[^\n]*\n(.*?)\};", text, re.DOTALL)
    assert match
    return re.findall(r"(\w+),", match[1])


def _constant(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def test_each_event_of_a_guest_is_told_or_has_its_reason() -> None:
    assert set(TOLD) | set(NOT_TOLD) == _guest_events()
    assert not set(TOLD) & set(NOT_TOLD)


def test_both_sides_number_the_events_alike() -> None:
    assert _numbers_of_c() == [_constant(kind.__name__) for kind in TOLD]


def test_each_event_that_is_told_is_told_somewhere_in_the_shim() -> None:
    text = "".join(path.read_text() for path in SHIM.glob("*.c"))
    assert [name for name in _numbers_of_c() if not re.search(rf"\b{name}\b", text)] == []


def _note(kind: type[GuestEvent], words: str, *numbers: int) -> Note:
    note = Note()
    note.a = TOLD.index(kind)
    note.fields.words = words.encode()
    for place, number in enumerate(numbers):
        note.fields.numbers[place] = number % (1 << 64)
    return note


def test_an_event_reads_its_words_and_numbers_in_the_order_of_its_fields() -> None:
    note = _note(pci_events.DriverProbeFailed, "454f:00:00.0\tnvme", -5)
    assert event_of(note) == pci_events.DriverProbeFailed("454f:00:00.0", "nvme", -5)


def test_a_mask_of_processors_becomes_their_numbers() -> None:
    mask = 1 << 3 | 1 << 130
    parts = [mask >> bit & (1 << 64) - 1 for bit in range(0, library.CPUS_MAX, 64)]
    event = event_of(_note(events.MsiRetargeted, "", 1, 24, *parts, 48, 0))
    assert msgspec.structs.asdict(event)["cpus"] == (3, 130)
