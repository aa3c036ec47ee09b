# SPDX-License-Identifier: MIT
"""The loss-free JSON form of a profile. Knows text, opens no file.

It keeps what a capture's text cannot: the name, the settled sizes, the configuration blocks. Rows
of sixteen zero bytes are left out, the rest stays readable and comparable.
"""

import msgspec

from host.devices.check import check_profile
from host.devices.problems import DeviceFileError
from host.devices.profile import BLOCK_BYTES_MAX, DeviceProfile
from protocol.pci_regs import CONFIG_BYTES, Bar

FORMAT = 1
ROW_BYTES = 16
REMEDY = "import the capture again, or correct the file"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The JSON document. Offsets are hexadecimal; bytes are hexadecimal, apart by spaces."""

    vpcisim_device: int
    name: str
    bars: list[Bar]
    config: dict[str, str]
    blocks: dict[str, str] = {}


def save_profile(profile: DeviceProfile) -> str:
    """The profile as a JSON document, ending in a newline; ``read_profile`` gives it back."""
    rows = {
        f"{at:03x}": profile.config[at : at + ROW_BYTES].hex(" ")
        for at in range(0, CONFIG_BYTES, ROW_BYTES)
        if any(profile.config[at : at + ROW_BYTES])
    }
    blocks = {str(block): data.hex(" ") for block, data in profile.blocks}
    document = _File(FORMAT, profile.name, list(profile.bars), rows, blocks)
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"


def read_profile(text: str, file: str) -> DeviceProfile:
    """The profile of a JSON document; raises ``DeviceFileError`` naming the key."""
    try:
        document = msgspec.json.decode(text, type=_File)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        raise DeviceFileError(file, place.strip("`") or "$", reason, REMEDY) from None
    except msgspec.DecodeError as error:
        raise DeviceFileError(file, "JSON", str(error), REMEDY) from None
    if document.vpcisim_device != FORMAT:
        problem = f"format {document.vpcisim_device} is not known here, {FORMAT} is"
        raise DeviceFileError(file, "vpcisim-device", problem, "import the capture again")
    blocks = tuple(_block(key, data, file) for key, data in document.blocks.items())
    profile = DeviceProfile(document.name, _config(document, file), tuple(document.bars), blocks)
    check_profile(profile, file)
    return profile


def _config(document: _File, file: str) -> bytes:
    image = bytearray(CONFIG_BYTES)
    for key, row in document.config.items():
        where = f"config.{key}"
        data = _bytes(row, file, where)
        offset = (
            int(key, 16) if key.isalnum() and set(key.lower()) <= set("0123456789abcdef") else -1
        )
        if len(data) != ROW_BYTES or offset % ROW_BYTES or not 0 <= offset < CONFIG_BYTES:
            problem = f"is no row of {ROW_BYTES} bytes within {CONFIG_BYTES}"
            raise DeviceFileError(file, where, problem, REMEDY)
        image[offset : offset + ROW_BYTES] = data
    return bytes(image)


def _block(key: str, text: str, file: str) -> tuple[int, bytes]:
    where = f"blocks.{key}"
    data = _bytes(text, file, where)
    if not key.isdecimal() or not key.isascii() or int(key[:12]) >= 1 << 32:
        raise DeviceFileError(file, where, "is no block id of 32 bits", REMEDY)
    if not 0 < len(data) <= BLOCK_BYTES_MAX:
        problem = f"has {len(data)} bytes, 1 to {BLOCK_BYTES_MAX} can be read"
        raise DeviceFileError(file, where, problem, REMEDY)
    return int(key), data


def _bytes(text: str, file: str, where: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise DeviceFileError(file, where, "is not hexadecimal", REMEDY) from None
