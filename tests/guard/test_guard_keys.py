"""A key that could be used is found anywhere, and what only looks like one is ignored."""

import base64
import secrets
from pathlib import Path

import pytest

from billing_guard import keys, scan
from tests.guard.fake_keys import live_key, random_body


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("sk_live_", "BG101"),
        ("rk_live_", "BG101"),
        ("sk_org_live_", "BG101"),
        ("sk_org_", "BG101"),
        ("sk_test_", "BG102"),
        ("rk_test_", "BG102"),
        ("sk_org_test_", "BG102"),
        ("pk_live_", "BG103"),
        ("pk_test_", "BG103"),
        ("whsec_", "BG104"),
    ],
)
@pytest.mark.parametrize("body", [random_body(), random_body(34), "51" + random_body(97), secrets.token_hex(16)])
def test_every_form_of_key_is_found(found, prefix, code, body):
    assert found({"app.env": f"KEY={prefix}{body}\n"}) == [f"app.env:1:5 {code}"]


@pytest.mark.parametrize("make", [random_body, lambda: secrets.token_hex(16), lambda: "51" + random_body(97)])
def test_hardly_any_random_key_is_taken_for_a_placeholder(make):
    missed = sum(not keys.looks_random(make()) for _ in range(5000))

    assert missed <= 10  # one in 10,000 is to be expected of the shortest


@pytest.mark.parametrize(
    "written",
    [
        "sk_live_",
        "sk_test_...",
        "sk_test_" + "4eC39HqLyjWDarjtT1zd" + "...",
        "sk_live_" + "4eC39HqLyjWDarjtT1zd" + "…",
        "sk_live_" + "4eC39HqLyjWDarjtT1zd" + "****",
        "sk_live_xxx",
        "sk_live_" + "x" * 24,
        "sk_live_your_key_here",
        "sk_test_" + "YourStripeSecretKeyHere",
        "sk_test_" + "replaceThisWithYourKey123",
        "sk_test_" + "abcdefghijklmnopqrstuvwx",
        "sk_live_" + "1234567890" * 3,
        "sk_test_" + "51ABCDEFghijklmnop1234567890",
        "sk_test_" + "a1b2c3d4e5f6g7h8i9j0k1l2",
        "sk_live_" + "deadbeef" * 4,
        "sk_live_" + "q7w3" * 6,
        "sk_live_" + "0123456789abcdef" * 2,
        "whsec_" + "test_secret_for_the_webhooks",
        'key = "sk_live_" + secrets.token_hex(16)',
        'f"sk_live_{token}"',
        "`sk_live_${token}`",
        r"re.compile(r'(sk|rk)_(live|test)_[0-9a-zA-Z]{24,}')",
        "task_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "sk_live_short1A",
    ],
)
def test_placeholders_prefixes_and_patterns_are_ignored(found, written):
    assert found({"README.md": written, "app.txt": f"KEY = {written}\n", "settings.toml": f"key = '{written}'"}) == []


def test_the_keys_of_other_services_in_the_same_form_are_ignored(found):
    clerk = base64.b64encode(b"adapted-lynx-42.clerk.accounts.dev$").decode().rstrip("=")

    assert (
        found(
            {
                "clerk.env": f"A=pk_test_{clerk}\nCLERK_SECRET_KEY=sk_test_{random_body(42)}\n",
                "paystack.env": f"PAYMENT=sk_live_{secrets.token_hex(20)}\n",
                "svix.env": f"SVIX_SECRET=whsec_{random_body(32)}\nOTHER=whsec_{random_body(31)}=\n",
                "standard.env": f"SECRET=whsec_{random_body(30)}/a\n",
                "hook.test.ts": f"import {{ Webhook }} from 'svix';\nnew Webhook('whsec_{random_body(32)}');\n",
            }
        )
        == []
    )


@pytest.mark.parametrize(
    "before",
    ["'", '"', "`", "(", "=", " ", "Bearer ", "\\n", "\t", "%3D", "https://", '{"key":"', "<key>", "# ", "<!-- "],
)
def test_a_key_is_found_after_any_delimiter(found, before):
    assert found({"page.txt": f"{before}{live_key()}"}) == [f"page.txt:1:{len(before) + 1} BG101"]


def test_a_key_is_found_in_prose_code_data_and_notebooks_alike(found):
    names = ["README.md", "a.py", "a.js", "a.sql", "a.csv", "Dockerfile", "n.ipynb", "a.unknown", "no_suffix", "a.html"]

    findings = found({name: f"# one\n  {live_key()} " for name in names})

    assert findings == sorted(f"{name}:2:3 BG101" for name in names)


def test_a_key_in_base64_is_found(found):
    secret = base64.b64encode(live_key().encode()).decode()
    basic = base64.b64encode(f"sk_test_{random_body()}:".encode()).decode()

    assert found({"secret.yaml": f"data:\n  key: {secret}\n", "call.http": f"Authorization: Basic {basic}\n"}) == [
        "call.http:1:22 BG102",
        "secret.yaml:2:8 BG101",
    ]


def test_a_key_that_python_joins_from_literals_is_found(found):
    head, tail = random_body(12), random_body(12)

    assert found(
        {
            "adjacent.py": f'KEY = (\n    "sk_live_{head}"\n    "{tail}"\n)\n',
            "plus.py": f'KEY = "sk_live_" + "{head}" + "{tail}"\n',
        }
    ) == ["adjacent.py:2:5 BG101", "plus.py:1:7 BG101"]


def test_a_key_that_a_program_builds_when_it_runs_is_ignored(found):
    made = 'KEY = "sk_live_" + secrets.token_hex(16)\nOTHER = "sk_live_" + "a1" * 12\n'

    assert found({"made.py": f'{made}THIRD = f"sk_live_{{token}}{random_body()}"\n'}) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_the_column_counts_characters_in_every_encoding(found, encoding):
    line = f"première clé: {live_key()}\r\n"

    assert found({"notes.txt": line.encode(encoding)}) == ["notes.txt:1:15 BG101"]


def test_a_binary_file_is_ignored(found):
    assert found({"image.bin": b"\x7fELF\0\0" + live_key().encode()}) == []


def test_no_output_holds_a_key(code_base):
    key, encoded = live_key(), base64.b64encode(live_key().encode()).decode()
    call = f"fetch('https://{key}@api.stripe" + f".com/v1/{key}')"
    code_base({f"{key}.txt": key, "a.js": call, "b.txt": encoded})

    report = scan([Path()])

    assert len(report.findings) == 5
    assert key not in repr(report)
    assert encoded not in repr(report)
    assert f"rk_live_…{key[-4:]} is a live Stripe key" in report.findings[-1].message
