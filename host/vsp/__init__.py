# SPDX-License-Identifier: MIT
"""The vPCI virtualization service provider: message in, effects out. No clock, no ring.

``machine`` dispatches; ``conversation``, ``resources``, ``interrupts``, ``blocks`` and
``removal`` answer, ``openvmm`` where that host answers otherwise; ``state``, ``inputs`` and
``host.effects`` are the vocabulary, ``host.profiles`` the tables.
"""

from host.vsp.machine import Vsp
from host.vsp.state import FunctionFacts, FunctionPhase, Phase, VspState, initial_state

__all__ = ["FunctionFacts", "FunctionPhase", "Phase", "Vsp", "VspState", "initial_state"]
