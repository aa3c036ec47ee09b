# SPDX-License-Identifier: MIT
"""NTSTATUS codes that completions carry. Knows no message.

Values as a signed 32-bit status holds them (``pci_response.status`` is ``s32``): success is not
negative. A few structures declare their status ``u32``; ``unsigned()`` gives the same code for
them. Numbers: mingw-w64's ntstatus.h; STATUS_BAD_DATA: OpenVMM's vpci_protocol.
"""

STATUS_SUCCESS = 0
STATUS_TIMEOUT = 0x102
STATUS_PENDING = 0x103
STATUS_BUFFER_OVERFLOW = 0x80000005 - (1 << 32)
STATUS_UNSUCCESSFUL = 0xC0000001 - (1 << 32)
STATUS_INFO_LENGTH_MISMATCH = 0xC0000004 - (1 << 32)
STATUS_INVALID_PARAMETER = 0xC000000D - (1 << 32)
STATUS_NO_SUCH_DEVICE = 0xC000000E - (1 << 32)
STATUS_INVALID_DEVICE_REQUEST = 0xC0000010 - (1 << 32)
STATUS_ACCESS_DENIED = 0xC0000022 - (1 << 32)
STATUS_BUFFER_TOO_SMALL = 0xC0000023 - (1 << 32)
STATUS_REVISION_MISMATCH = 0xC0000059 - (1 << 32)
STATUS_INSUFFICIENT_RESOURCES = 0xC000009A - (1 << 32)
STATUS_DEVICE_NOT_CONNECTED = 0xC000009D - (1 << 32)
STATUS_DEVICE_NOT_READY = 0xC00000A3 - (1 << 32)
STATUS_IO_TIMEOUT = 0xC00000B5 - (1 << 32)
STATUS_NOT_SUPPORTED = 0xC00000BB - (1 << 32)
STATUS_DEVICE_DOES_NOT_EXIST = 0xC00000C0 - (1 << 32)
STATUS_CANCELLED = 0xC0000120 - (1 << 32)
STATUS_INVALID_DEVICE_STATE = 0xC0000184 - (1 << 32)
STATUS_INVALID_BUFFER_SIZE = 0xC0000206 - (1 << 32)
STATUS_NOT_FOUND = 0xC0000225 - (1 << 32)
STATUS_CONNECTION_REFUSED = 0xC0000236 - (1 << 32)
STATUS_DEVICE_REMOVED = 0xC00002B6 - (1 << 32)
STATUS_BAD_DATA = 0xC000090B - (1 << 32)


def unsigned(status: int) -> int:
    """The code as an unsigned 32-bit field holds it."""
    return status & 0xFFFF_FFFF


def signed(code: int) -> int:
    """The code as a signed 32-bit field holds it."""
    return code - (1 << 32) if code & 0x8000_0000 else code
