# SPDX-License-Identifier: MIT
"""Records and the fast codec derived from their construct declarations. Knows no message.

A wire structure is a subclass of ``WireRecord``: an immutable record whose annotations carry the
construct declaration of each field. From that one declaration come construct's own parser
(``CONSTRUCT``), the named leaves (``SHAPE``) and, on first use, a generated ``parse`` and ``build``
over ``struct.Struct``. Tests hold the derived codec equal to construct's.

Generating on first use, and not at import, keeps a command that touches two messages quick.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from protocol.derive import Buffer as Buffer  # who parses bytes names their type
from protocol.derive import Codec, derive
from protocol.leaves import Shape, shape_of
from protocol.shapes import RecordStruct, as_construct

T = TypeVar("T")


class _OnFirstUse:
    """A class attribute computed from the class when first read, then a plain attribute."""

    def __init__(self, name: str, compute: Callable[[Any], Any]) -> None:
        self._name = name
        self._compute = compute

    def __get__(self, _instance: object, owner: type) -> Any:
        value = self._compute(owner)
        setattr(owner, self._name, value)
        return value


def _on_first_use(name: str, compute: Callable[[Any], T]) -> T:
    descriptor: Any = _OnFirstUse(name, compute)
    result: T = descriptor
    return result


class WireRecord(msgspec.Struct, frozen=True, gc=False):
    """Base of every wire structure. Fields are little-endian and packed as declared.

    ``parse`` reads the structure from the front of a buffer; bytes behind it (ring padding) are
    ignored. Raises ``WireFormatError`` with the field's kernel path and its offset in the buffer.
    ``build`` raises ``LocalProtocolError`` when a value does not fit its field.
    """

    KERNEL_NAME: ClassVar[str] = ""
    # The kernel's struct begins with the 16-byte ring descriptor, under this path ("hdr",
    # "incoming.hdr", "d"); parse and build are of what follows it.
    DESCRIPTOR_PATH: ClassVar[str] = ""
    INCLUDES_DESCRIPTOR: ClassVar[bool] = False

    CONSTRUCT: ClassVar[Any] = _on_first_use("CONSTRUCT", lambda cls: _declaration(cls))
    SHAPE: ClassVar[Shape] = _on_first_use("SHAPE", lambda cls: shape_of(cls.CONSTRUCT))
    SIZE: ClassVar[int] = _on_first_use("SIZE", lambda cls: cls.SHAPE.size)
    CODEC: ClassVar[Codec] = _on_first_use("CODEC", lambda cls: derive(cls))

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.INCLUDES_DESCRIPTOR = bool(cls.DESCRIPTOR_PATH)
        cls.KERNEL_NAME = cls.KERNEL_NAME or _kernel_name(cls.__name__)

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """The record at the front of ``data`` (bytes). Replaced by the derived parser when used."""
        _install(cls)
        record: Self = cls.CODEC.parse(data)
        return record

    def build(self) -> bytes:
        """The bytes of the record. Replaced by the derived builder when used."""
        _install(type(self))
        return self.CODEC.build(self)


def _kernel_name(name: str) -> str:
    """``PciBusD0Entry`` -> ``pci_bus_d0_entry``; OpenVMM's ``OvPnpId`` -> ``ov_PnpId``."""
    if name.startswith("Ov"):
        return "ov_" + name[2:]
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:]


def _install(cls: type[WireRecord]) -> None:
    for name, function in (("parse", staticmethod(cls.CODEC.parse)), ("build", cls.CODEC.build)):
        setattr(cls, name, function)


def _declaration(cls: type[WireRecord]) -> RecordStruct:
    """construct's ``Struct`` from the annotations of a record class."""
    subcons = []
    for name in cls.__struct_fields__:
        annotation = cls.__annotations__[name]
        (declared,) = getattr(annotation, "__metadata__", (annotation,))
        subcons.append(name / as_construct(declared))
    return RecordStruct(cls, *subcons)
