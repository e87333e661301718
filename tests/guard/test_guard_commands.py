"""Stripe's command line is found where a program or a script runs it, and not where its name is a word."""

import pytest

SPACED = "stripe charges create --amount=100 --currency=usd"
LISTED = '"stripe", "charges", "create", "--amount=100"'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", f"subprocess.run([{LISTED}], check=True)"),
        ("a.py", "subprocess.run(\n    [\n        'stripe',\n        *arguments,\n    ]\n)"),
        ("a.py", 'subprocess.check_output(("stripe", command))'),
        ("a.py", f'subprocess.run("{SPACED}", shell=True)'),
        ("a.py", 'subprocess.Popen(f"stripe {command}", shell=True)'),
        ("a.py", f'os.system("{SPACED}")'),
        ("a.py", f'os.system("cd /srv && {SPACED}")'),
        ("a.py", 'os.system("stripe " + command)'),
        ("a.py", 'os.execvp("stripe", arguments)'),
        ("a.py", 'await asyncio.create_subprocess_exec("stripe", *arguments)'),
        ("a.py", 'Popen(["/usr/local/bin/stripe", "listen"])'),
        ("a.py", f"run([{LISTED}])"),
        ("a.py", f'connection.run("sudo {SPACED}")'),
        ("a.py", f'run(["bash", "-c", "{SPACED}"])'),
        ("a.py", f"COMMAND = [{LISTED}]"),
        ("a.py", f'cmd = "{SPACED}"'),
        ("a.py", 'ARGUMENTS = (\n    "stripe",\n    "post",\n    "/v1/charges",\n)'),
        ("a.py", 'run(["docker", "run", "stripe/stripe-cli:latest", "version"])'),
        ("a.js", "spawn('stripe', ['charges', 'create'])"),
        ("a.js", "child_process.spawn('stripe', command)"),
        ("a.js", f"execSync(`{SPACED}`)"),
        ("a.ts", f"await exec('{SPACED}')"),
        ("a.go", 'exec.Command("stripe", "charges", "create")'),
        ("a.go", 'exec.CommandContext(ctx, "stripe", args...)'),
        ("a.rb", f'system("{SPACED}")'),
        ("a.php", f'shell_exec("{SPACED}");'),
        ("A.java", 'new ProcessBuilder("stripe", "charges", "create")'),
        ("package.json", f'{{"scripts": {{"pay": "npm run build && {SPACED}"}}}}'),
        ("package.json", '{"scripts": {"stripe": "stripe listen --forward-to localhost:3000"}}'),
        ("tasks.json", '{"command": "stripe listen"}'),
    ],
)
def test_a_program_that_runs_the_command_line_is_found(found_codes, name, text):
    assert found_codes({name: f"{text}\n"}) == ["BG302"]


@pytest.mark.parametrize(
    ("name", "text", "position"),
    [
        ("a.sh", SPACED, "1:1"),
        ("a.sh", f"if true; then\n  {SPACED}\nfi", "2:3"),
        ("a.sh", f"id=$({SPACED} | jq .id)", "1:6"),
        ("a.sh", f"make && {SPACED}", "1:9"),
        ("a.sh", f"id=`{SPACED}`", "1:5"),
        ("a.sh", 'STRIPE_PROJECT=shop stripe "$@"', "1:21"),
        ("a.sh", "/opt/stripe/bin/stripe trigger payment_intent.succeeded", "1:1"),
        ("a.sh", "sudo -u bot stripe payment_intents confirm pi_1", "1:13"),
        ("a.sh", "stripe get /v1/charges | jq -r .id | xargs -I % -p stripe delete /v1/plans/%", "1:1"),
        ("a.sh", "stripe --project-name shop customers list", "1:1"),
        ("a.sh", "stripe \\\n  billing_portal sessions create", "1:1"),
        ("a.sh", f"bash -c '{SPACED}'", "1:10"),
        ("a.sh", "docker run --rm stripe/stripe-cli:latest version", "1:17"),
        ("a.sh", "brew install stripe/stripe-cli/stripe", "1:14"),
        ("a.sh", "curl -LO https://github.com/stripe/stripe-cli/releases/download/v1.21.0/a.deb", "1:18"),
        ("pay", f"#!/bin/sh\n{SPACED}", "2:1"),
        ("Makefile", f"pay:\n\t@{SPACED}", "2:3"),
        ("Dockerfile", f"RUN {SPACED}", "1:5"),
        ("Dockerfile", 'CMD ["stripe", "listen"]', "1:7"),
        ("Dockerfile", "COPY --from=stripe/stripe-cli /bin/stripe /bin/stripe", "1:13"),
        ("ci.yml", f"steps:\n  - run: {SPACED}", "2:10"),
        ("ci.yml", f"steps:\n  - run: |\n      {SPACED}", "3:7"),
        ("compose.yaml", "services:\n  events:\n    image: stripe/stripe-cli\n", "3:12"),
    ],
)
def test_a_script_that_runs_the_command_line_is_found(found, name, text, position):
    assert found({name: f"{text}\n"})[0] == f"{name}:{position} BG302"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", f"# subprocess.run([{LISTED}])"),
        ("a.py", f'def pay():\n    """Once ran: {SPACED}"""'),
        ("a.py", 'PROVIDERS = ["stripe", "paypal"]'),
        ("a.py", 'run(["stripe", "paypal"])'),
        ("a.py", 'subprocess.run(["git", "log", "stripe"])'),
        ("a.py", 'subprocess.run(["stripe-billing-router", "list"])'),
        ("a.py", 'subprocess.run(["grep", "-r", "stripe", "."])'),
        ("a.py", 'os.system("pip install stripe-billing-router")'),
        ("a.py", 'print("Never run stripe listen here")'),
        ("a.py", 'raise SystemExit("stripe login is not allowed")'),
        ("a.py", 'graph.run("MATCH (stripe) RETURN stripe")'),
        ("a.py", 'provider.call("stripe", customer)'),
        ("a.py", 'COMMANDS = {"stripe": "list"}'),
        ("a.js", "// execSync('stripe listen')"),
        ("a.js", "pattern.exec('stripe customers')"),
        ("a.js", "const url = 'https://github.com/stripe/stripe-cli';"),
        ("package.json", '{"scripts": {"stripe": "node stripe.js", "list": "stripes list"}}'),
        ("a.sh", f"# {SPACED}"),
        ("a.sh", f"echo {SPACED}"),
        ("a.sh", 'echo "see https://github.com/stripe/stripe-cli"'),
        ("a.sh", "cd stripe\nls stripe create"),
        ("a.sh", "PACKAGES=(\n  stripe\n  flask\n)"),
        ("a.sh", "case $1 in\n  stripe) pay ;;\n  stripe | paypal) pay ;;\nesac"),
        ("a.sh", "stripe=1\nstripe() { pay; }"),
        ("a.sh", "stripe --version || stripe -h"),
        ("a.sh", "cat <<END\nstripe takes 3 % of each charge\nEND"),
        ("a.sh", "docker run example/stripe-cli"),
        ("Makefile", "stripe: build list\n\tmake pay"),
        ("ci.yml", "stripe:\n  list: true\nname: stripe login"),
        ("ci.yml", "description: |\n  stripe charges 3 percent"),
        ("README.md", SPACED),
    ],
)
def test_the_name_as_a_word_a_comment_or_a_list_item_is_ignored(found_codes, name, text):
    assert found_codes({name: f"{text}\n"}) == []
