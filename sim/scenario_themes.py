# SPDX-License-Identifier: MIT
"""What the built-in scenarios are about, so that a long list can be read. Knows names only."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, NamedTuple


class Theme(NamedTuple):
    """``about`` is its heading; ``names`` are patterns of the scenarios that belong to it."""

    about: str
    names: tuple[str, ...]


# In the order in which they are listed. Each scenario belongs to one.
THEMES: Final[Mapping[str, Theme]] = MappingProxyType(
    {
        "arrival": Theme(
            "a device arrives and works",
            ("arrival", "config-blocks", "domain-collision", "multi-*", "sixty-four-devices"),
        ),
        "refusal": Theme(
            "a probe that is refused something, or gets no answer",
            (
                "probe-fails",
                "version-refused",
                "resources-refused",
                "d0-refused-*",
                "silent-host",
                "offer-without-memory",
                "interrupt-ring-full",
            ),
        ),
        "relations": Theme("what is on a bus changes", ("relations-*", "list-without-memory")),
        "eject": Theme(
            "the host asks for a device",
            ("eject-*", "list-before-eject", "list-overtakes-eject", "rescan-during-eject"),
        ),
        "rescind": Theme("the host takes an offer back", ("rescind-*", "reoffer")),
        "driver": Theme(
            "the vPCI driver or a function's is taken off and put back on",
            (
                "unload*",
                "reload",
                "unbind-*",
                "rebind-*",
                "driver-override",
                "invalidate-during-unbind",
            ),
        ),
        "memory": Theme("which addresses there are for windows and BARs", ("mmio-*",)),
        "cpus": Theme(
            "vCPUs come, go and have numbers, and interrupts follow",
            ("cpus-*", "offline-*", "many-vcpus", "beyond-64-vcpus", "*-vps", "retarget"),
        ),
        "numa": Theme("which node a device is near", ("numa-*",)),
        "hibernation": Theme(
            "the VM is switched off and on again", ("hibernate*", "suspend-*", "resume-*")
        ),
        "kdump": Theme("the guest crashes, and a crash kernel follows", ("kdump*",)),
        "cvm": Theme("a confidential VM", ("cvm-*",)),
        "hostile": Theme("a host that forges what it sends", ("hostile-*", "wide-last-bar")),
        "arm64": Theme("the same and more on arm64, where interrupts are SPIs", ("arm64-*",)),
    }
)


def themes_of(name: str) -> tuple[str, ...]:
    """The themes of a built-in scenario: one, or a test fails."""
    return tuple(
        theme
        for theme, (_, names) in THEMES.items()
        if any(fnmatchcase(name, pattern) for pattern in names)
    )


def theme_of(name: str) -> str:
    """The theme of a built-in scenario."""
    (theme,) = themes_of(name)
    return theme
