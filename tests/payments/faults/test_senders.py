"""A sender can be killed by its pid as long as its test runs."""

from __future__ import annotations

from pathlib import Path

from tests.payments.faults.playing import KEY
from tests.payments.faults.senders import until


def test_no_other_process_gets_a_senders_pid_before_the_test_has_done_with_it(world):
    sender = world.send("amount", KEY)
    sender.answer()
    world.send("amount", "another").answer()
    entry = Path(f"/proc/{sender.pid}")
    is_kept = entry.exists()

    world.senders.end_all()

    assert is_kept
    until(lambda: not entry.exists(), "The end of the sender's entry")
