# SPDX-License-Identifier: MIT
"""Opens a device file: a raw ``lspci -vvv -xxxx`` capture, or the JSON form an import wrote.

Tells the two apart and nothing else; ``host.devices.importing`` and ``host.devices.profile_file``
make profiles of their text.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from host.devices.importing import Imported, import_capture
from host.devices.problems import DeviceFileError
from host.devices.profile import DeviceProfile
from host.devices.profile_file import read_profile

FILE_BYTES_MAX = 16 << 20  # a capture of a large machine's every device has about 10 MiB


def load_profile(reference: str, *, bar_sizes: Mapping[int, int] | None = None) -> DeviceProfile:
    """``load_device`` without the notes, for who wants to run the device and not to import it."""
    return load_device(reference, bar_sizes=bar_sizes).profile


def load_device(
    reference: str,
    *,
    name: str | None = None,
    bar_sizes: Mapping[int, int] | None = None,
) -> Imported:
    """The device of a file: our JSON form or a raw capture, told apart by the first character.

    ``reference`` is a path, or ``path#address`` for one device of several in a capture. Raises
    ``DeviceFileError`` for a file that cannot be read or used.
    """
    file, address = reference, None
    if "#" in reference and not Path(reference).exists():
        file, _, address = reference.rpartition("#")
    text = _read(file)
    if not text.lstrip().startswith("{"):
        return import_capture(text, file, name=name, bar_sizes=bar_sizes, address=address)
    profile = read_profile(text, file)
    return Imported(msgspec.structs.replace(profile, name=name or profile.name), ())


def _read(file: str) -> str:
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DeviceFileError(file, "file", f"cannot be read: {reason}", "check the path") from None
    if len(data) > FILE_BYTES_MAX:
        problem = f"has more than {FILE_BYTES_MAX} bytes"
        raise DeviceFileError(file, "file", problem, "capture fewer devices (lspci -s ADDRESS)")
    return data.decode("utf-8", errors="replace")
