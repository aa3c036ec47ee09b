# SPDX-License-Identifier: MIT
"""What is wrong with a device file, said in one line. Knows no format."""


class DeviceFileError(Exception):
    """A capture, profile file or size option that cannot be used.

    The message is one line: file, place in it (a line, a key), what is wrong, and what to do.
    """

    def __init__(self, file: str, where: str, problem: str, remedy: str) -> None:
        text = f"{file}: {where}: {problem}; {remedy}"
        super().__init__(" ".join(text.split()))
        self.file = file
        self.where = where
        self.problem = problem
        self.remedy = remedy
