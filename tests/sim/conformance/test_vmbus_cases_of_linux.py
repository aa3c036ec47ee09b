# SPDX-License-Identifier: MIT
"""The same of cases about VMBus: control messages, channels, rings.

See ``test_cases_of_linux``.
"""

from __future__ import annotations

import re

import pytest

from tests.sim.conformance import answers_unlike_linux as answers
from tests.sim.conformance import connections_unlike_linux as connections
from tests.sim.conformance import rings_unlike_linux as rings
from tests.sim.conformance.unlike import Unlike, name, wrong_of

UNLIKE = (
    Unlike("vmbus-versions-from-above", connections.StartsAt52, "the versions 0x50002, "),
    Unlike("vmbus-versions-down-to-2.4", connections.StopsAt30, "0x40000, 0x30000$"),
    Unlike("unknown-connection-tried-once", connections.TriesAgain, "8 contacts were refused"),
    Unlike("offers-asked-for-once", connections.AsksForOffersAgain, "for offers 2 times"),
    Unlike("pages-told-before-opening", connections.NamesAnotherGpadl, "never told"),
    Unlike("ten-pages-in-one-header", connections.HasSmallerRings, "76 bytes, 6 pages"),
    Unlike("rings-split-in-the-middle", connections.HasUnequalRings, "begins at page 4"),
    Unlike("signals-name-the-connection", connections.SignalsAnother, "the connection 0x1, "),
    Unlike("answer-to-a-move-awaited", connections.TakesMovesForDone, "had answered"),
    Unlike("no-answer-to-a-move-awaited", connections.WaitsForMoves, r"the processors \[0\]"),
    Unlike("no-move-before-4.1", connections.MovesAlways, "does not know"),
    Unlike("gpadl-handles-count-up", connections.CountsHandlesDown, "GPADL 1 is 0xe1e0f"),
    Unlike("channel-aimed-at-cpu-0", connections.AimsAtTheSecond, "the processor 0"),
    Unlike("any-contact-answer-taken", answers.MakesSure, "made contact again"),
    Unlike("end-of-offers-not-answered", answers.AsksForMore, "it posted a message"),
    Unlike("gpadl-answer-matched", answers.TakesAnyGpadl, "own GPADL had been created"),
    Unlike("open-answer-matched", answers.TakesAnyOpen, "own open was answered"),
    Unlike("teardown-answer-matched", answers.TakesAnyTeardown, "had been torn down"),
    Unlike("unknown-control-message-dropped", answers.TakesUnknownTypes, "no eject any more"),
    Unlike("short-control-message-dropped", answers.TakesShortRescinds, "no eject any more"),
    Unlike("rescind-looks-every-ms", connections.LooksRarely, "after 100000000 ns"),
    Unlike("message-posted-100-times", answers.TriesTenTimes, "gave up"),
    Unlike("message-posted-100-times", answers.TriesForEver, "it asked for 0x50003"),
    Unlike("message-posted-after-delays", answers.LosesPatience, "after 1048000000 ns"),
    Unlike("vmbus-answers-waited-for", answers.ContactsInHaste, "after 60000000000 ns"),
    Unlike("unload-waited-for", answers.LeavesInHaste, "after 61001001000 ns"),
    Unlike("offers-waited-for-ten-seconds", answers.ResumesInHaste, "after 0 ns"),
    Unlike("crash-waits-100-s-for-unload", answers.DiesInHaste, "it waited 0 ns"),
    Unlike("crash-looks-every-10-ms", answers.LooksRarely, "ns after the answer"),
    Unlike("host-told-of-room-once", rings.TellsAlways, "again before anything came"),
    Unlike("read-index-published-packet-by-packet", rings.TellsInTheEnd, "16384 bytes were free"),
    Unlike("ring-masked-while-read", rings.NeverMasks, "not masked while it was read"),
    Unlike("rings-begin-zeroed", rings.HasNoFeature, "feature_bits=0"),
    Unlike("indices-in-whole-words", rings.BeginsAtTheEnd, "an index is 16384"),
    Unlike("no-wish-for-room", rings.WishesForRoom, "pending_send_sz is 48"),
    Unlike("no-room-no-packet", rings.WaitsForRoom, "was sent later"),
    Unlike("impossible-length-taken-for-4096-bytes", rings.HasLargeBuffer, "was not heard"),
    Unlike("longer-packet-taken-for-two", rings.HasLargeBuffer, "was not heard"),
    Unlike("impossible-offset-taken-for-16-bytes", rings.Believes, "was not heard"),
)


@pytest.mark.parametrize("unlike", UNLIKE, ids=name)
def test_a_guest_that_does_otherwise_fails_the_case(unlike: Unlike) -> None:
    assert re.search(unlike.why, str(wrong_of(unlike, "1.4")))
