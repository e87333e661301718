"""Stripe's SDK and Stripe's API are found in what is run, and nowhere else."""

import json

import pytest

from tests.guard.fake_keys import API

HOST = API.removeprefix("https://")
TOOLS = "@stripe/" + "mcp"


@pytest.mark.parametrize(
    "line",
    [
        "import stripe",
        "import os, stripe as s",
        "import stripe.error",
        "from stripe import Charge",
        "from stripe.error import CardError",
        'import_module("stripe")',
        'importlib.import_module("stripe.error")',
        '__import__("stripe")',
        'pytest.importorskip("stripe")',
        "import stripe_agent_toolkit",
        "import async_stripe",
        "from async_stripe.client import charge",
        "from djstripe.models import Charge",
        'include("djstripe.urls", namespace="djstripe")',
    ],
)
def test_pythons_ways_to_import_the_sdk_are_found(found, line):
    assert found({"bot.py": f"if True:\n    {line}\n"}) == ["bot.py:2:5 BG201"]


@pytest.mark.parametrize(
    "line",
    [
        "import stripe_billing_router",
        "from stripe_billing_router import charge",
        "from . import stripe",
        "from .stripe import pay",
        "from payments import stripe",
        "import payments.stripe",
        "import striped, stripes",
        "from shop.djstripe import models",
        "import my_async_stripe, djstripes",
        'include("shop.urls", namespace="djstripe")',
        'getLogger("djstripe")',
        'REMOVED = ["djstripe"]',
        'stripe = frame["stripe"]',
        '"import stripe"',
        "# import stripe",
        'import_module("stripe_billing_router.errors")',
        "import_module(stripe)",
    ],
)
def test_other_uses_of_the_word_in_python_are_ignored(found, line):
    assert found({"bot.py": f'"""How to:\n\n    import stripe\n"""\n{line}\n'}) == []


@pytest.mark.parametrize(
    ("settings", "position"),
    [
        ('INSTALLED_APPS = [\n    "django.contrib.auth",\n    "djstripe",\n]\n', "3:5"),
        ('INSTALLED_APPS: list[str] = ["shop", "djstripe.apps.DjstripeAppConfig"]\n', "1:38"),
        ('INSTALLED_APPS += ("djstripe",)\n', "1:20"),
        ('THIRD_PARTY_APPS = ["a"] + ["djstripe"]\n', "1:29"),
    ],
)
def test_what_django_installs_is_found(found, settings, position):
    assert found({"settings.py": settings}) == [f"settings.py:{position} BG201"]


def test_an_app_of_ones_own_and_a_setting_without_a_value_are_ignored(found):
    settings = 'INSTALLED_APPS: list[str]\nINSTALLED_APPS = ["shop.djstripe", "djstripes", b"djstripe", 3]\n'

    assert found({"settings.py": settings}) == []


def test_a_script_without_a_suffix_is_read_by_its_first_line(found):
    assert found({"bill": "#!/usr/bin/env python3\nimport stripe\n", "notes": "import stripe\n"}) == ["bill:2:1 BG201"]


@pytest.mark.parametrize("module", ["stripe", "async_stripe", "djstripe", "stripe_agent_toolkit"])
def test_python_2_and_templates_are_read_by_their_lines(found, module):
    text = f'print "paying"\nimport {module}\nfrom {module}.a import b\n# import {module}\nimport {module}s\n'

    assert found({"old.py": text}) == ["old.py:2:1 BG201", "old.py:3:1 BG201"]


def test_a_local_module_called_stripe_is_not_the_sdk(found):
    assert (
        found({"app.py": "import stripe\n", "stripe/__init__.py": "WIDTH = 3\n", "lib/a.py": "import stripe\n"}) == []
    )


def test_a_module_of_a_package_called_stripe_does_not_hide_the_sdk(found):
    package = {
        "payments/__init__.py": "",
        "payments/stripe.py": "import stripe\n",
        "payments/views.py": "import stripe\n",
    }

    assert found(package) == ["payments/stripe.py:1:1 BG201", "payments/views.py:1:1 BG201"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.js", "import Stripe from 'stripe';"),
        ("a.ts", 'import { Stripe } from "stripe"'),
        ("a.ts", 'import type { Stripe } from "stripe";'),
        ("a.mjs", "import * as s from 'stripe/lib/stripe.js'"),
        ("a.tsx", "export { Stripe } from 'stripe'"),
        ("a.cjs", "const s = require('stripe')(process.env.KEY)"),
        ("a.vue", "const s = await import('stripe')"),
        ("a.ts", "import Stripe from 'npm:stripe@17'"),
        ("a.ts", 'import Stripe from "https://esm.sh/stripe@14.1.0?target=deno"'),
        ("a.html", "<script type=module>import Stripe from 'https://esm.sh/stripe@17'</script>"),
        ("a.go", 'import "github.com/stripe/stripe-go/v79"'),
        ("a.go", '\t"github.com/stripe/stripe-go/v79/paymentintent"'),
        ("a.rb", "require 'stripe'"),
        ("a.rb", "Stripe::PaymentIntent.create(amount: 1)"),
        ("a.rb", "Stripe.api_key = ENV['KEY']"),
        ("a.php", "use Stripe\\StripeClient;"),
        ("a.php", "$s = new \\Stripe\\StripeClient($key);"),
        ("A.java", "import com.stripe.model.Charge;"),
        ("a.kt", "import com.stripe.Stripe"),
        ("A.cs", "using Stripe.Checkout;"),
    ],
)
def test_the_sdk_is_found_in_other_languages(found, name, line):
    assert [finding.split()[1] for finding in found({name: f"{line}\n"})] == ["BG201"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.js", "// import Stripe from 'stripe'"),
        ("a.js", "/* const s = require('stripe') */"),
        ("a.js", "import stripe from './stripe'"),
        ("a.js", "import { loadStripe } from '@stripe/stripe-js'"),
        ("a.js", "theme: 'stripe', background: stripe"),
        ("a.html", "<pre>import Stripe from 'stripe'</pre>"),
        ("a.css", ".table-striped { background: url('stripe') }"),
        ("a.go", '// "github.com/stripe/stripe-go/v79"'),
        ("a.go", 'import "example.com/shop/stripe"'),
        ("a.rb", "require_relative 'stripe'"),
        ("a.rb", "Billing::Stripe::Charge.new"),
        ("a.php", "use App\\Stripe\\Charge;"),
        ("A.java", "import com.stripe.android.Stripe;"),
        ("A.java", "import org.example.stripe.Charge;"),
        ("A.cs", "using Shop.Stripe;"),
        ("README.md", "import Stripe from 'stripe'"),
    ],
)
def test_comments_front_end_libraries_and_other_packages_are_ignored(found, name, line):
    assert found({name: f"{line}\n"}) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f'requests.post("{API}/v1/charges")'),
        ("a.py", f'url = f"{API}/v1/charges/{{id}}"'),
        ("a.py", f'BASE_URL = "{API}"'),
        ("a.py", f'base: str = os.environ.get("STRIPE_API", "{API}/")'),
        ("a.py", f'http.client.HTTPSConnection("{HOST}")'),
        ("a.py", f"subprocess.run('curl {API}/v1/balance', shell=True)"),
        ("a.js", f"fetch(`{API}${{path}}`)"),
        ("a.js", f"if (allowed) await fetch('{API}/v1/charges')"),
        ("a.js", f"fetch('{API}' + path)"),
        ("a.js", f"new URL(path, '{API}')"),
        ("a.js", f"https.request({{ hostname: '{HOST}', path: '/v1/charges' }})"),
        ("a.html", f"<script>fetch('{API}/v1/tokens')</script>"),
        ("a.go", f'http.NewRequest("POST", "{API}/v1/charges", body)'),
        ("a.rb", f"URI.parse('{API}/v1/charges')"),
        ("a.php", f"curl_setopt($c, CURLOPT_URL, '{API}/v1/charges');"),
        ("A.java", f'URI.create("{API}/v1/charges")'),
        ("a.sh", f"curl -X POST \\\n  {API}/v1/charges"),
        ("Dockerfile", f"RUN curl {API}/v1/charges"),
        ("ci.yml", f"  run: curl -u $KEY {API}/v1/charges"),
        ("flow.json", f'{{"url": "{API}/v1/charges"}}'),
        (".env.local", f"STRIPE_API_BASE={API}"),
        ("a.py", f'requests.post("{API.replace("api.", "connect.")}/oauth/token")'),
        ("a.py", f'requests.post("{API.replace("api.", "files.")}/v1/files")'),
        (".mcp.json", f'{{"url": "{API.replace("api.", "mcp.")}"}}'),
    ],
)
def test_a_call_to_stripes_api_is_found(found, name, line):
    assert [finding.split()[1] for finding in found({name: f"{line}\n"})] == ["BG301"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f"# requests.post('{API}/v1/charges')"),
        ("a.py", f'def pay():\n    """Once called {API}/v1/charges."""'),
        ("a.py", f'raise ValueError("Stripe ({API}/v1/charges) is called by the router alone")'),
        ("a.py", f'CSP_CONNECT_SRC = ("\'self\'", "{API}")'),
        ("a.py", f'HOSTS = ["{HOST}", "example.com"]'),
        ("a.py", 'url = "https://docs.stripe.com/api/charges"'),
        ("a.js", f"// fetch('{API}/v1/charges')"),
        ("a.js", f"const csp = \"connect-src 'self' {API}; frame-src https://js.stripe.com\""),
        ("a.js", f"connectSrc: [\n  '{API}',\n],"),
        ("a.js", f"const STRIPE_CONNECT = '{API}';"),
        ("a.js", f"const ALLOWED_API = '{API}';"),
        ("a.js", f"if (url.startsWith('{API}')) return"),
        ("a.js", 'images: ["https://files.stripe.com/links/abc"]'),
        ("a.js", f"fetch('{API}.example.com/v1/charges')"),
        ("a.html", f"<pre>curl {API}/v1/charges</pre>"),
        ("a.yaml", f"description: As {API}/v1/charges does"),
        ("policy.yaml", f"egress:\n  - {API}"),
        ("README.md", f"`curl {API}/v1/charges`"),
        ("a.min.js", f"var u='{API}/v1/charges';" + "x" * 2000),
    ],
)
def test_allowed_origins_prose_and_comments_are_no_calls(found, name, line):
    assert found({name: f"{line}\n"}) == []


def test_a_notebooks_code_is_read_and_its_prose_is_not(found):
    def cell(kind: str, *lines: str) -> dict[str, object]:
        return {"cell_type": kind, "metadata": {}, "source": [f"{line}\n" for line in lines]}

    notebook = {
        "cells": [
            cell("markdown", "import stripe"),
            cell("code", "%matplotlib inline", "!pip install stripe", "import stripe", 'x = "é"'),
            cell("code", f"!curl {API}/v1/charges", "!stripe charges create", 'print("!stripe charges create")'),
        ],
        "nbformat": 4,
    }

    assert found({"n.ipynb": json.dumps(notebook, indent=1)}) == [
        "n.ipynb:15:14 BG202",
        "n.ipynb:16:1 BG201",
        "n.ipynb:24:7 BG301",
        "n.ipynb:25:2 BG302",
    ]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("requirements.txt", "django\nstripe==12.0.0\n", 2),
        ("requirements/dev.in", "stripe[async] >= 12  # paying\n", 1),
        ("dev-requirements.txt", "Stripe\n", 1),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = [\n  "django",\n  "stripe>=12",\n]\n', 5),
        ("pyproject.toml", '[project.optional-dependencies]\npay = ["django", "stripe"]\n', 2),
        ("pyproject.toml", '[dependency-groups]\ndev = [\n  "stripe",\n]\n', 3),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.11"\nstripe = "^12"\n', 3),
        ("pyproject.toml", '[tool.poetry.group.pay.dependencies]\nstripe = { version = "12" }\n', 2),
        ("requirements.txt", "async-stripe==6.1.0\n", 1),
        ("requirements.txt", "django\ndj_stripe[rest]~=2.9\n", 2),
        ("constraints.txt", "DJ-Stripe==2.9\n", 1),
        ("pyproject.toml", '[project]\nname = "x"\ndependencies = [\n  "dj-stripe>=2.9",\n]\n', 4),
        ("pyproject.toml", '[tool.poetry.dependencies]\nasync-stripe = "*"\n', 2),
        ("setup.cfg", "[options]\ninstall_requires =\n    dj-stripe\n", 3),
        ("Pipfile", '[packages]\ndj-stripe = "*"\n', 2),
        ("environment.yml", "dependencies:\n  - dj-stripe\n", 2),
        ("Dockerfile", "FROM python\nRUN uv pip install dj-stripe==2.9 django\n", 2),
        ("setup.py", 'setup(\n  install_requires=["django", "stripe"],\n)\n', 2),
        ("setup.py", 'REQUIRED = [\n  "stripe>=12",\n]\n', 2),
        ("setup.cfg", "[options]\ninstall_requires =\n    stripe>=12\n", 3),
        ("Pipfile", '[packages]\nstripe = "*"\n', 2),
        ("environment.yml", "dependencies:\n  - stripe=12\n", 2),
        ("package.json", '{"dependencies": {\n  "stripe": "^17.0.0"\n}}', 2),
        ("go.mod", "require (\n\tgithub.com/stripe/stripe-go/v79 v79.1.0\n)\n", 2),
        ("Gemfile", "gem 'rails'\ngem 'stripe', '~> 13'\n", 2),
        ("x.gemspec", "  s.add_dependency 'stripe'\n", 1),
        ("composer.json", '{"require": {\n  "stripe/stripe-php": "^16"\n}}', 2),
        ("pom.xml", "<dependency>\n<groupId>com.stripe</groupId>\n", 2),
        ("build.gradle.kts", 'implementation("com.stripe:stripe-java:28.0.0")\n', 1),
        ("Bot.csproj", '<PackageReference Include="Stripe.net" Version="47" />\n', 1),
        ("Dockerfile", "FROM python\nRUN pip install --no-cache-dir django stripe\n", 2),
        ("ci.yml", "steps:\n  - run: npm install stripe@17\n", 2),
        ("install.sh", "go get github.com/stripe/stripe-go/v79\n", 1),
        (".mcp.json", f'{{\n"args": ["-y", "{TOOLS}", "--tools=all"]\n}}', 2),
        ("start.sh", f"npx -y {TOOLS} --tools=all\n", 1),
        ("agent.py", f'run(["npx", "{TOOLS}@latest"])\n', 1),
    ],
)
def test_a_dependency_on_the_sdk_is_found(found, name, content, line):
    findings = found({name: content})

    assert [finding.split(":")[1] for finding in findings] == [str(line)]
    assert findings[0].endswith("BG202")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("requirements.txt", "stripe-billing-router\nzebra-stripe\n# stripe\n"),
        ("requirements.txt", "dj-stripe-tools\nmy-dj-stripe\nasync-striped\n# async-stripe\nadj-stripe\n"),
        ("notes.txt", "stripe\n"),
        (
            "pyproject.toml",
            '[project]\nname = "stripe"\n[tool.ruff.lint.flake8-tidy-imports.banned-api]\n"stripe".msg = "no"\n',
        ),
        ("pyproject.toml", '[tool.importlinter]\nforbidden_modules = ["stripe"]\n'),
        ("pyproject.toml", 'project = 3\n[tool]\npoetry = "x"\n'),
        ("pyproject.toml", "[project\n"),
        ("setup.py", 'setup(name="stripe-tools", keywords=["stripe"], install_requires=["django"])\n'),
        ("package.json", '{"keywords": ["stripe"], "dependencies": {"@stripe/stripe-js": "^5"}}'),
        ("package.json", '{"scripts": {"stripe": "node stripe.js"}}'),
        ("go.mod", "\tgithub.com/stripe/stripe-go/v79 v79.1.0 // indirect\n"),
        ("Dockerfile", "RUN pip install stripe-billing-router my-dj-stripe\n"),
        ("install.sh", "# pip install stripe\n"),
        ("README.md", "pip install stripe\n"),
    ],
)
def test_what_only_shares_the_sdks_name_is_no_dependency(found, name, content):
    assert found({name: content}) == []


@pytest.mark.parametrize(
    "names",
    [
        ("_stripe_client.py", "_api_requestor.py"),
        ("api_requestor.py", "stripe_object.py"),
        ("stripe.core.js", "StripeResource.js"),
        ("StripeClient.php", "ApiRequestor.php"),
        ("stripe_client.rb", "stripe_object.rb"),
        ("stripe.go", "paymentintent.go"),
    ],
)
def test_a_vendored_copy_of_the_sdk_is_one_finding_whatever_its_folder_is_called(found, names):
    inside = {f"vendor/payment/{name}": "" for name in names}

    assert found({**inside, "vendor/payment/api/a.py": f'import stripe\nURL = "{API}/v1/charges"\n'}) == [
        f"vendor/payment/{names[0]}:1:1 BG203"
    ]


def test_a_folder_called_stripe_is_no_vendored_copy(found):
    assert found({"stripe/__init__.py": "", "stripe/api_requestor.py": "", "stripe/zebra.py": ""}) == []
