"""What the page for bot developers says of the errors is what the code does."""

import re
from pathlib import Path

from stripe_billing_router import errors

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (\d{3}) \| (yes|no) \| (yes|no) \| .+ \|$", re.MULTILINE)


def test_the_page_lists_every_error_as_it_is():
    documented = {
        (code, name, int(status), moved == "yes", same_key == "yes")
        for code, name, status, moved, same_key in ROW.findall(PAGE.read_text())
    }

    assert documented == {
        (code, kind.__name__, kind.status, kind.money_may_have_moved, kind.retry_with_same_key)
        for code, kind in errors._CODES.items()
    }
