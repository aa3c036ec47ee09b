# SPDX-License-Identifier: MIT
"""The laws that every run is judged by; one file each."""

from collections.abc import Sequence
from typing import Final

from sim.oracles.law import LawFactory
from sim.oracles.laws.ejects_answered import EjectsAnswered
from sim.oracles.laws.request_ids import RequestIds
from sim.oracles.laws.silence_after_rescind import SilenceAfterRescind

# In this order an event is shown to them.
LAWS: Final[Sequence[LawFactory]] = (EjectsAnswered, RequestIds, SilenceAfterRescind)
