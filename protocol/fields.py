# SPDX-License-Identifier: MIT
"""Short names for the integer fields that nearly every structure has. Knows no message."""

from typing import Annotated

from construct import Int8ul, Int16ul, Int32sl, Int32ul, Int64ul

U8 = Annotated[int, Int8ul]
U16 = Annotated[int, Int16ul]
U32 = Annotated[int, Int32ul]
U64 = Annotated[int, Int64ul]
S32 = Annotated[int, Int32sl]
