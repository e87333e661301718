"""A sender can be killed by its pid as long as its test runs."""

from __future__ import annotations

from pathlib import Path

from tests.payments.faults.playing import KEY
from tests.payments.faults.senders import until


def test_no_other_process_gets_a_senders_pid_before_the_test_is_over(world):
    sender = world.start_sender("amount", KEY)
    sender.response()
    world.start_sender("amount", "another").response()
    entry = Path(f"/proc/{sender.pid}")
    is_kept = entry.exists()

    world.senders.end_all()

    assert is_kept
    until(lambda: not entry.exists(), "The end of the sender's entry")
