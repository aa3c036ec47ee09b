# SPDX-License-Identifier: MIT
"""Every structure's fields against what a C compiler made of the kernel's declarations."""

import re

import pytest

from protocol.leaves import Leaf
from protocol.workbench import RECORDS
from tests.protocol.facts import DESCRIPTOR_BYTES, LAYOUTS, Fact, leaves_of

NOT_ON_THE_WIRE = {
    "vmpacket_largest_possible_header": "a union that Linux declares to measure headers with",
}
# Arrays of fixed length in the declaration that travel shorter (or, for the first, cut to need).
TRAVELS_SHORTER = {
    "pci_read_block_response": "bytes",
    "pci_write_block": "bytes",
    "vmadditional_data": "data",
    "hv_ring_buffer": "reserved2",
}
# Leaves of the memory behind a structure, no part of it.
BEHIND = {("hv_ring_buffer", "buffer")}


# What OpenVMM reads behind its fixed structures, declared as their open end; FreeBSD's last bit.
OURS_ALONE = {
    "fbsd_pci_version_request": {"padding"},
    "ov_DeviceTranslate": {"msi_resources"},
    "ov_DeviceTranslateReply": {"msi_resources"},
    "ov_VpciTdispCommandHeader": {"data"},
    "ov_VpciTdispCommandHeaderReply": {"data"},
}


def without_indices(path: str) -> str:
    return re.sub(r"\[\d+\]", "", path)


def our_leaves(name: str) -> dict[str, Leaf]:
    """Our leaves by path, offsets from the kernel struct's start."""
    record = RECORDS[name]
    base = DESCRIPTOR_BYTES * record.INCLUDES_DESCRIPTOR
    shape = record.SHAPE.moved("", base)
    leaves = {leaf.path: leaf for leaf in shape.arrays}
    if shape.tail is not None:
        for index in range(len(shape.tail.heads) + 1):
            leaves.update({leaf.path: leaf for leaf in shape.tail.element_leaves(index)})
        nested = shape.tail.nested()
        if nested is not None:
            leaves.update({leaf.path: leaf for leaf in nested.element_leaves(0)})
    return leaves


def expected(name: str) -> list[Fact]:
    base = DESCRIPTOR_BYTES * RECORDS[name].INCLUDES_DESCRIPTOR
    return [
        fact for fact in leaves_of(name) if fact.offset >= base and (name, fact.path) not in BEHIND
    ]


def test_every_structure_is_declared_but_the_few_that_are_not_on_the_wire() -> None:
    assert set(LAYOUTS) - set(RECORDS) == set(NOT_ON_THE_WIRE)
    assert set(RECORDS) <= set(LAYOUTS)


@pytest.mark.wire_note("9.1b", "9.1d")
@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_field_has_the_compilers_offset_size_and_sign(name: str) -> None:
    ours = our_leaves(name)
    for fact in expected(name):
        if fact.dims == (0,) or TRAVELS_SHORTER.get(name) == fact.path:
            first = ours[fact.path + "[0]"]
            assert (first.offset, first.size) == (fact.offset, fact.size), fact
            continue
        leaf = ours[fact.path]
        assert (leaf.offset, leaf.size, leaf.signed) == (fact.offset, fact.size, fact.signed), fact
        assert (leaf.dims, leaf.shift, leaf.width) == (fact.dims, fact.shift, fact.width), fact


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_no_field_is_ours_alone(name: str) -> None:
    theirs = {without_indices(fact.path) for fact in expected(name)}
    guids = {path.rpartition(".")[0] for path in theirs if path.endswith(".data1")}
    ours = {without_indices(path) for path in our_leaves(name)}
    assert ours - theirs - guids <= OURS_ALONE.get(name, set())


@pytest.mark.wire_note("9.1c")
@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_structure_has_the_compilers_size(name: str) -> None:
    record = RECORDS[name]
    size = record.SIZE + DESCRIPTOR_BYTES * record.INCLUDES_DESCRIPTOR
    tail = record.SHAPE.tail
    if tail is not None:
        size += tail.declared * tail.stride
    assert size == LAYOUTS[name]["sizeof"]


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_the_ring_descriptor_is_where_the_kernel_has_it(name: str) -> None:
    record = RECORDS[name]
    assert LAYOUTS[name].get("includes_descriptor", False) == record.INCLUDES_DESCRIPTOR
    if record.INCLUDES_DESCRIPTOR:
        paths = {fact.path: fact.offset for fact in leaves_of(name)}
        assert paths[record.DESCRIPTOR_PATH + ".trans_id"] == 8


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_record_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    text = RECORDS[name].__doc__ or ""
    assert text.startswith("``")
