"""A URL of Stripe's API is found however its host is written, and where a shell's variables complete it."""

import pytest

from tests.guard.fake_keys import API

HOST = API.removeprefix("https://")
DOMAIN = HOST.removeprefix("api.")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f'requests.post("{API.upper()}/v1/charges")'),
        ("a.py", f'requests.post("https://{HOST.title()}/v1/charges")'),
        ("a.py", f'BASE_URL = "{API.upper()}"'),
        ("a.py", f'requests.post("{API}:443/v1/charges")'),
        ("a.py", f'requests.post("{API}./v1/charges")'),
        ("a.py", f'STRIPE_HOST = "{HOST.upper()}"'),
        ("a.py", f'HOST: str = "{HOST}"'),
        ("a.py", f'subprocess.run(["curl", "{HOST}/v1/charges"])'),
        ("a.go", f'host := "{HOST}"'),
        ("a.js", f"const stripeHost = '{HOST}'"),
        ("a.js", f"fetch('{API.upper()}/v1/charges')"),
        ("a.sh", f"curl {HOST.upper()}/v1/charges"),
        ("a.sh", f"curl -u $KEY: \\\n  -X POST \\\n  {HOST}/v1/charges"),
        ("a.sh", f"http POST {HOST}/v1/charges amount=100"),
        ("a.sh", f"HOST={HOST}"),
        ("a.sh", f"export STRIPE_HOST={HOST.upper()}; connect"),
        ("Dockerfile", f"ENV STRIPE_HOST {HOST}"),
        ("Dockerfile", f"ENV STRIPE_HOST={HOST}"),
    ],
)
def test_the_host_is_found_in_any_case_with_a_port_and_without_a_scheme(found_codes, name, line):
    assert found_codes({name: f"{line}\n"}) == ["BG301"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f'requests.post("{API.upper()}.EXAMPLE.COM/v1/charges")'),
        ("a.py", f'requests.post("https://{HOST}-proxy.example.com/v1/charges")'),
        ("a.py", f'ALLOWED_HOST = "{HOST}"'),
        ("a.py", f'BLOCKED_HOST = "{HOST}"'),
        ("a.py", f'if host == "{HOST}":\n    refuse()'),
        ("a.py", f'HOSTNAMES = ("localhost", "{HOST.upper()}")'),
        ("a.py", f'log.info("Stripe answers at {HOST}/v1/charges")'),
        ("a.sh", f"EGRESS_HOST={HOST}"),
        ("a.sh", f"ping {HOST}"),
        ("a.sh", f"echo the router alone calls {HOST}/v1/charges"),
        ("a.sh", f"curl https://example.com/?ref={HOST}"),
        ("policy.yaml", f"host: {HOST.upper()}"),
    ],
)
def test_other_hosts_and_lists_of_hosts_are_ignored(found_codes, name, line):
    assert found_codes({name: f"{line}\n"}) == []


@pytest.mark.parametrize(
    ("name", "text", "position"),
    [
        ("a.sh", f"S={HOST}; curl https://$S/v1/charges", "1:32"),
        ("a.sh", f"S={HOST}\nif true; then\n  curl -u $KEY: https://${{S}}/v1/charges\nfi", "3:25"),
        ("a.sh", f"D={DOMAIN}\ncurl https://api.$D/v1/charges", "2:18"),
        ("a.sh", f"SUB=api\ncurl https://${{SUB}}.{DOMAIN}/v1/charges", "2:14"),
        ("a.sh", f"A=API\nB=$A.{DOMAIN.upper()}\nC='https://'$B\nwget $B/v1/charges", "4:6"),
        ("a.sh", f"S=api.\nS+={DOMAIN}\ncurl $S/v1/charges", "3:6"),
        ("a.sh", f"curl https://${{S:-{HOST}}}/v1/charges", "1:14"),
        ("a.sh", f"for s in {HOST}; do curl https://$s/v1/charges; done", "1:42"),
        ("a.sh", f"ORIGIN={API}\ncurl $ORIGIN/v1/charges", "2:6"),
        ("a.sh", f"S={HOST}\ncurl -X POST \\\n  https://$S/v1/charges", "3:11"),
        ("a.fish", f"set -gx S {HOST}\ncurl https://$S/v1/charges", "2:14"),
        ("a.ps1", f'$S = "{HOST}"\nInvoke-RestMethod "https://$S/v1/charges"', "2:28"),
        ("Makefile", f"S := {HOST}\npay:\n\tcurl https://$(S)/v1/charges", "3:15"),
        ("Dockerfile", f"ARG S={HOST}\nRUN curl https://$S/v1/charges", "2:18"),
        ("ci.yml", f"env:\n  S: {HOST}\nsteps:\n  - run: curl https://$S/v1/charges", "4:23"),
        ("ci.yml", f"env:\n  S: '{HOST}'\nsteps:\n  - run: curl https://${{{{ env.S }}}}/v1/charges", "4:23"),
    ],
)
def test_a_url_that_a_variable_completes_is_found_where_it_is_used(found, name, text, position):
    assert found({name: f"{text}\n"}) == [f"{name}:{position} BG301"]


def test_a_variable_that_is_a_finding_itself_is_reported_once(found):
    script = f"HOST={HOST}\ncurl https://$HOST/v1/charges\ncurl https://$HOST/v1/refunds\n"

    assert found({"a.sh": script}) == ["a.sh:1:6 BG301"]


@pytest.mark.parametrize(
    "text",
    [
        f"S={HOST}; ping $S",
        f"S={HOST}; echo https://$T/v1/charges",
        f"S={HOST}\nS=localhost\ncurl https://$S/v1/charges",
        f"curl https://$S/v1/charges\nS={HOST}",
        f"# S={HOST}\ncurl https://$S/v1/charges",
        f"D={DOMAIN}; curl https://docs.$D/v1/charges",
        f"S={HOST}; curl https://$S.example.com/v1/charges",
        f"S={HOST}; curl https://$STRIPE/v1/charges",
        f"S={HOST}; echo A call to https://$S/v1/charges is refused",
        f"curl https://${{S:-router.example.com}}/v1/charges?for={DOMAIN}",
    ],
)
def test_variables_that_complete_no_call_are_ignored(found, text):
    assert found({"a.sh": f"{text}\n"}) == []


def test_a_script_that_doubles_a_variable_again_and_again_is_read_quickly(found):
    doubling = f"A={HOST}\n" + "A=$A$A\n" * 100

    assert found({"a.sh": doubling + "curl https://$A/v1/charges\n"}) == []
