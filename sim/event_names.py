# SPDX-License-Identifier: MIT
"""Every kind of event by its name, derived from the class names. Knows no event's meaning.

``host.bus-relations-sent`` is ``BusRelationsSent`` of ``host/events.py``. A scenario may leave the
prefix out; where two sides have an event of one name (``d0-entered``), the host's is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType
from typing import Final

import msgspec

from guest import events as guest_events
from guest.kernel import cpu_events, irq_events
from guest.pci_core import events as pci_events
from host import events as host_events
from protocol import link as link_events
from sim import fault_events

# In order of precedence.
_MODULES: Final[tuple[tuple[str, ModuleType], ...]] = (
    ("host", host_events),
    ("guest", guest_events),
    ("pci", pci_events),
    ("guest", cpu_events),
    ("pci", irq_events),  # an interrupt's events are named with the device's
    ("link", link_events),
    ("sim", fault_events),
)


def kebab(name: str) -> str:
    """``BusRelationsSent`` to ``bus-relations-sent``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _events_of(module: ModuleType) -> Iterator[type[msgspec.Struct]]:
    """The module's own events; a class that others derive from is no event itself."""
    classes = [
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, msgspec.Struct)
        and found.__module__ == module.__name__
    ]
    bases = {base for found in classes for base in found.__mro__[1:]}
    yield from (found for found in classes if found not in bases)


def _tags() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    for side, module in _MODULES:
        yield from ((f"{side}.{kebab(event.__name__)}", event) for event in _events_of(module))


EVENT_OF_TAG: Final[Mapping[str, type[msgspec.Struct]]] = MappingProxyType(dict(_tags()))
TAG_OF_EVENT: Final[Mapping[type, str]] = MappingProxyType(
    {event: tag for tag, event in EVENT_OF_TAG.items()}
)


def _names() -> dict[str, type[msgspec.Struct]]:
    bare: dict[str, type[msgspec.Struct]] = {}
    for tag, event in EVENT_OF_TAG.items():
        bare.setdefault(tag.partition(".")[2], event)
    return {**bare, **EVENT_OF_TAG}


# What a scenario's ``wait`` may say, to the class that it means.
EVENT_NAMES: Final[Mapping[str, type[msgspec.Struct]]] = MappingProxyType(_names())
