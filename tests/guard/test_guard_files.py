"""The guard scans a code base's own files, allows what has a reason, and reports in a fixed order and format."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from billing_guard import scan
from billing_guard.__main__ import main
from billing_guard.scanning import MAX_FILE_SIZE
from tests.guard.fake_keys import live_key

ROOT = Path(__file__).parents[2]
SDK_IMPORT = "import stripe\n"


def git(*command: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *command], check=True, capture_output=True
    )


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "billing_guard", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_this_repository_is_clean():
    report = scan([ROOT])

    assert report.findings == ()
    assert report.files_read > 200


def test_what_git_ignores_is_ignored_and_what_is_new_is_read(found, code_base):
    code_base(
        {".gitignore": "build/\n", "build/a.py": SDK_IMPORT, "new.py": SDK_IMPORT, "node_modules/a.py": SDK_IMPORT}
    )
    git("init", "-q")
    git("add", "node_modules")

    assert found({}) == ["new.py:1:1 BG201", "node_modules/a.py:1:1 BG201"]


def test_an_ignored_folder_is_read_when_it_is_named(code_base):
    code_base({".gitignore": "build/\n", "build/a.py": SDK_IMPORT})
    git("init", "-q")

    assert [finding.path for finding in scan([Path("build")]).findings] == ["build/a.py"]


def test_a_nested_repository_is_read(found, code_base):
    code_base({"inner/a.py": SDK_IMPORT})
    git("init", "-q")
    git("init", "-q", "inner")

    assert found({}) == ["inner/a.py:1:1 BG201"]


def test_without_git_the_folders_that_tools_fill_are_ignored(found):
    filled = ["node_modules/x/a.py", "venv/lib/a.py", "x/site-packages/a.py", ".git/a.py"]

    assert found({"venv/pyvenv.cfg": "", "a.py": SDK_IMPORT, **dict.fromkeys(filled, SDK_IMPORT)}) == ["a.py:1:1 BG201"]


def test_symbolic_links_are_not_followed(found, code_base):
    folder = code_base({"real/a.py": SDK_IMPORT})
    (folder / "circle").symlink_to(folder)
    (folder / "again.py").symlink_to(folder / "real" / "a.py")

    assert found({}) == ["real/a.py:1:1 BG201"]


def test_a_text_that_is_too_large_is_named(code_base, capsys):
    code_base({"large.txt": "x" * (MAX_FILE_SIZE + 1), "large.bin": b"\0" * (MAX_FILE_SIZE + 1), "small.txt": "x"})

    assert main(["."]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "Skipped, because it is too large or cannot be opened: large.txt",
        "No findings in 2 files.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import stripe  # billing-guard: allow the old bot until it is moved\n",
        "# billing-guard: allow the old bot until it is moved\nimport stripe\n",
    ],
)
def test_a_line_with_a_reason_is_allowed(found, text):
    assert found({"a.py": text}) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import stripe  # billing-guard: allow\n", 1),
        ("import stripe  # billing-guard: allow -- \n", 1),
        ("# billing-guard: allow the next line alone\n\nimport stripe\n", 3),
        ("x = 1  # billing-guard: allow this line alone\nimport stripe\n", 2),
        ("import stripe  # noqa: TID251\n", 1),
    ],
)
def test_an_allow_comment_without_a_reason_or_at_another_line_allows_nothing(found, text, line):
    assert found({"a.py": text}) == [f"a.py:{line}:1 BG201"]


def test_an_allowlist_covers_its_paths_and_codes_alone(found):
    allowed = '[[allow]]\npaths = ["old/*.py"]\ncodes = ["BG201"]\nreason = "Moved in spring."\n'

    findings = found(
        {".billing-guard.toml": allowed, "old/deep/a.py": SDK_IMPORT + f"K = '{live_key()}'\n", "new.py": SDK_IMPORT}
    )

    assert findings == ["new.py:1:1 BG201", "old/deep/a.py:2:6 BG101"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[[allow]]\npaths = ["a"]\ncodes = ["BG201"]\n', "needs paths, codes and reason"),
        ('[[allow]]\npaths = ["a"]\ncodes = ["BG201"]\nreason = " "\n', "has no reason"),
        ('[[allow]]\npaths = ["a"]\ncodes = ["BG999"]\nreason = "because"\n', "BG999"),
        ('[[allow]]\npaths = "a"\ncodes = ["BG201"]\nreason = "because"\n', "lists of strings"),
        ("[[allow\n", "cannot be read"),
        ("[other]\n", "nothing else"),
    ],
)
def test_an_invalid_allowlist_stops_the_scan(code_base, capsys, content, says):
    code_base({".billing-guard.toml": content, "a.py": SDK_IMPORT})

    with pytest.raises(SystemExit) as stopped:
        main(["."])

    assert stopped.value.code == 2
    assert says in capsys.readouterr().err


def test_a_finding_is_a_line_with_its_position_its_code_and_what_to_write_instead(code_base):
    code_base({"b.py": SDK_IMPORT, "a.py": f"x = 1\n{SDK_IMPORT}"})

    done = run("b.py", "a.py", "a.py")

    assert done.returncode == 1
    assert [line.split(" uses")[0] for line in done.stdout.splitlines()] == [
        "a.py:2:1: BG201 import stripe",
        "b.py:1:1: BG201 import stripe",
    ]
    assert all(" Write instead: charge(…) of stripe_billing_router" in line for line in done.stdout.splitlines())
    assert done.stderr == "2 findings in 2 files.\n"


def test_the_findings_can_be_printed_as_json(code_base):
    code_base({"a.py": SDK_IMPORT})

    done = run("--format", "json", ".")

    (finding,) = json.loads(done.stdout)
    assert finding.keys() == {"path", "line", "column", "code", "message", "instead"}
    assert (finding["path"], finding["line"], finding["column"], finding["code"]) == ("a.py", 1, 1, "BG201")


def test_without_findings_nothing_is_printed_on_the_standard_output(code_base):
    code_base({"a.py": "import stripe_billing_router\n"})

    done = run(".")

    assert (done.returncode, done.stdout) == (0, "")


def test_a_path_that_does_not_exist_has_an_exit_status_of_its_own(code_base):
    code_base({})

    assert run("nowhere").returncode == 2
    assert run().returncode == 2


def test_a_file_name_that_is_not_valid_text_is_reported(code_base):
    folder = code_base({})
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff.py"))).write_text(SDK_IMPORT)

    done = run(".", PYTHONIOENCODING="utf-8")

    assert done.returncode == 1
    assert "BG201" in done.stdout


def test_in_a_hook_git_lists_the_scanned_folder_and_not_the_repository_of_the_commit(code_base):
    code_base({".gitignore": "b.py\n", "a.py": SDK_IMPORT, "b.py": SDK_IMPORT})
    git("init", "-q")

    done = run(".", GIT_DIR="/nowhere", GIT_INDEX_FILE="/nowhere")

    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["a.py"]
