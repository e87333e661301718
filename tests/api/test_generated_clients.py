"""Clients that others generate from the OpenAPI document."""

from __future__ import annotations

import compileall
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from drf_spectacular.generators import SchemaGenerator

from stripe_billing_router import calls


def test_a_python_client_is_generated_without_a_warning_and_compiles(tmp_path: Path) -> None:
    source, client = tmp_path / "openapi.json", tmp_path / "billing"
    source.write_text(json.dumps(SchemaGenerator().get_schema(public=True)))
    generator = Path(sys.executable).with_name("openapi-python-client")
    settings = tmp_path / "settings.yaml"
    settings.write_text("post_hooks: []\n")  # how it would be formatted is of no interest

    generate = [generator, "generate", "--path", source, "--output-path", client, "--config", settings]
    subprocess.run([*generate, "--meta", "none", "--fail-on-warning"], check=True, timeout=60)

    assert compileall.compile_dir(client, quiet=1)
    assert (client / "api" / "charges" / f"{calls.charge.__name__}.py").exists()
    assert _can_charge(tmp_path)


def _can_charge(folder: Path) -> bool:
    """Return whether a process that imports the client finds what a charge takes."""
    program = (
        "from billing.api.charges import charge; from billing.models import ChargeRequest, Payment, Problem; "
        "ChargeRequest(bot='finance:invoice_bot', amount='19.99').to_dict()"
    )
    return subprocess.run([sys.executable, "-c", program], cwd=folder, timeout=60, check=False).returncode == 0


PROGRAM = """
import type { paths } from "./api";

type Charges = paths["/api/v1/charges"]["post"];
const charge: Charges["requestBody"]["content"]["application/json"] = { bot: "finance:invoice_bot", amount: "19.99" };
declare const payment: Charges["responses"][201]["content"]["application/json"];
export const seen: [string, string | null, "charge" | string] = [payment.id, payment.amount, payment.kind];
// @ts-expect-error (a field that no charge has)
export const wrong: typeof charge = { ...charge, ammount: "19.99" };
"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed here.")
def test_a_typescript_client_is_generated_and_compiles(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("exhaustive"):
        pytest.skip("It is downloaded: it is tried with --all.")
    (tmp_path / "openapi.json").write_text(json.dumps(SchemaGenerator().get_schema(public=True)))
    (tmp_path / "program.ts").write_text(PROGRAM)

    def run(*command: str) -> None:
        subprocess.run(command, cwd=tmp_path, check=True, timeout=300)

    run("npm", "install", "--silent", "--no-audit", "--no-fund", "openapi-typescript@7.10.1", "typescript@5.9.3")
    run("node_modules/.bin/openapi-typescript", "openapi.json", "--output", "api.ts")
    run("node_modules/.bin/tsc", "--noEmit", "--strict", "program.ts")
