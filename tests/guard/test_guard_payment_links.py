"""A link to a page on which Stripe collects a payment is found wherever it stands; its host alone is no link."""

from pathlib import Path

import pytest

from billing_guard import scan
from tests.guard.fake_keys import payment_link, random_body

BUY = "https://buy.stripe" + ".com"
CHECKOUT = "https://checkout.stripe" + ".com"


@pytest.mark.parametrize(
    "link",
    [
        payment_link("buy"),
        payment_link("book"),
        payment_link("donate"),
        payment_link("buy", "test_"),
        payment_link("buy", "b/"),
        payment_link().removeprefix("https://"),
        payment_link().replace("buy.stripe.com", "BUY.Stripe.com"),
        f"{payment_link()}?prefilled_email=a@example.com",
        f"{CHECKOUT}/c/pay/cs_live_{random_body(58)}#fid",
        f"{CHECKOUT}/pay/cs_test_{random_body(58)}",
    ],
)
def test_a_link_is_found_in_code_in_pages_and_in_prose(found_codes, link):
    files = {
        "a.py": f'LINK = "{link}"\n',
        "b.html": f'<a href="{link}">Pay</a>\n',
        "c.json": f'{{"link": "{link}"}}\n',
        "prompt.md": f"Send the customer {link}.\n",
    }

    assert found_codes(files) == ["BG303"] * len(files)


def test_a_link_is_reported_at_its_host_and_not_printed_in_full(code_base):
    link = payment_link()
    code_base({"a.md": f"Pay: {link}\n"})

    (finding,) = scan([Path()]).findings

    assert (finding.line, finding.column) == (1, 14)
    assert finding.message.startswith(f"buy.stripe.com/…{link[-4:]} is a link")
    assert link[-18:] not in str(finding)


@pytest.mark.parametrize(
    "text",
    [
        BUY,
        f"{BUY}/",
        f"{BUY}/...",
        f"{BUY}/test_...",
        f"{BUY}/test_MONTHLY",
        f"{BUY}/your_payment_link_here",
        f"{BUY}/yourPaymentLinkGoesHere",
        f"{BUY}/test_xxxxxxxxxxxxxxxxxx",
        f"{BUY}/14k8yQ5wCgRl3bG28…",
        f"{CHECKOUT}/checkout.js",
        f"{CHECKOUT}/c/pay/cs_test_123",
        f"{CHECKOUT}/c/pay/cs_test_fake_session",
        f"form-action 'self' {CHECKOUT}; frame-src {BUY}",
        "https://docs.stripe.com/payment-links/aFa9AU5zfdPPc5r7ss",
        f"{BUY}.example.com/aFa9AU5zfdPPc5r7ss",
        "https://notbuy.stripe.com/aFa9AU5zfdPPc5r7ss",
    ],
)
def test_placeholders_hosts_alone_and_other_pages_are_ignored(found, text):
    assert found({"a.py": f'LINK = "{text}"\n', "README.md": f"{text}\n"}) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f'link = f"{BUY}/{{link_id}}"'),
        ("a.py", f'link = "{BUY}/" + link_id'),
        ("a.py", f'link = "{BUY}/test_%s" % link_id'),
        ("a.js", f"location.href = `{CHECKOUT}/c/pay/${{session}}`"),
        ("a.rb", f'link = "{BUY}/#{{id}}"'),
        ("a.sh", f"open {BUY}/$LINK"),
        ("a.yaml", f"link: {BUY}/{{{{ link_id }}}}"),
    ],
)
def test_a_link_that_a_program_completes_is_found(found_codes, name, line):
    assert found_codes({name: f"{line}\n"}) == ["BG303"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f'assert url.startswith("{CHECKOUT}/")'),
        ("a.py", f'# link = f"{BUY}/{{link_id}}"'),
        ("a.py", f'HOSTS = ["{BUY}/", "{CHECKOUT}/"]'),
        ("a.js", f"// location.href = `{BUY}/${{id}}`"),
        ("README.md", f"{BUY}/{{link_id}}"),
    ],
)
def test_a_comparison_a_list_and_a_comment_complete_no_link(found, name, line):
    assert found({name: f"{line}\n"}) == []
