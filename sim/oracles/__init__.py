# SPDX-License-Identifier: MIT
"""The lab's verdicts: model faults and laws."""
