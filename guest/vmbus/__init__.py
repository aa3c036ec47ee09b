# SPDX-License-Identifier: MIT
"""The guest's end of VMBus: connection, offers and rescinds, channels, packets."""
