"""A central file outside the checked repository decides alone what is allowed in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from billing_guard.__main__ import main

SDK_IMPORT = "import stripe\n"
OWN_EXEMPTION = '[[allow]]\npaths = ["*"]\ncodes = ["BG201"]\nreason = "We say so ourselves."\n'

Write = Callable[[str], Path]
Check = Callable[..., list[str]]


def entry(*paths: str, repository: str = "") -> str:
    named = f'repository = "{repository}"\n' if repository else ""
    return f'[[allow]]\n{named}paths = {list(paths)}\ncodes = ["BG201"]\nreason = "Agreed with billing."\n'


@pytest.fixture
def exemptions(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Write the central file to a folder of its own."""

    def write(content: str) -> Path:
        file = tmp_path_factory.mktemp("policy") / "exemptions.toml"
        file.write_text(content)
        return file

    return write


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the guard, and return the path and line of each finding."""

    def run(*arguments: str | Path) -> list[str]:
        main([str(argument) for argument in arguments])
        return [":".join(line.split(":")[:2]) for line in capsys.readouterr().out.splitlines()]

    return run


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the guard, which must not start, and return why it did not."""

    def run(*arguments: str | Path) -> str:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        assert stopped.value.code == 2
        return " ".join(capsys.readouterr().err.split())

    return run


def test_the_central_file_allows_its_paths_and_codes_alone(code_base, exemptions, check):
    code_base({"old/deep/a.py": SDK_IMPORT, "old/requirements.txt": "stripe\n", "new.py": SDK_IMPORT})

    assert check("--exemptions", exemptions(entry("old/*")), ".") == ["new.py:1", "old/requirements.txt:1"]


@pytest.mark.parametrize(
    "own",
    [
        {".billing-guard.toml": OWN_EXEMPTION, "a.py": SDK_IMPORT},
        {"a.py": "import stripe  # billing-guard: allow the old bot until it is moved\n"},
        {".billing-guard.toml": "[[allow\n", "a.py": SDK_IMPORT},
    ],
)
def test_what_the_repository_allows_itself_does_not_count(code_base, exemptions, check, own):
    code_base(own)

    assert check("--exemptions", exemptions(entry("old/*")), ".") == ["a.py:1"]


def test_an_empty_list_allows_nothing(code_base, exemptions, check):
    code_base({".billing-guard.toml": OWN_EXEMPTION, "a.py": SDK_IMPORT})

    assert check("--exemptions", exemptions("allow = []\n"), ".") == ["a.py:1"]


@pytest.mark.parametrize(
    ("arguments", "findings"),
    [(["--repository", "bots/shop"], []), (["--repository", "bots/other"], ["a.py:1"]), ([], ["a.py:1"])],
)
def test_an_entry_that_names_a_repository_is_for_that_one_alone(code_base, exemptions, check, arguments, findings):
    code_base({"a.py": SDK_IMPORT})

    assert check("--exemptions", exemptions(entry("a.py", repository="bots/shop")), *arguments, ".") == findings


def test_an_entry_without_a_repository_is_for_all(code_base, exemptions, check):
    code_base({"a.py": SDK_IMPORT})

    assert check("--exemptions", exemptions(entry("a.py")), "--repository", "bots/shop", ".") == []


@pytest.mark.parametrize("checked", [".", "src", "src/a.py", "../{name}/src"])
def test_paths_count_from_the_repositorys_root_wherever_the_guard_starts(code_base, exemptions, check, checked):
    folder = code_base({".git/HEAD": "", "src/a.py": SDK_IMPORT})

    assert check("--exemptions", exemptions(entry("src/a.py")), checked.format(name=folder.name)) == []


def test_a_repository_inside_the_checked_one_has_no_paths_of_its_own(code_base, exemptions, check):
    code_base({".git/HEAD": "", "inner/.git": "gitdir: ../.git", "inner/old/a.py": SDK_IMPORT})

    assert check("--exemptions", exemptions(entry("old/*")), ".") == ["inner/old/a.py:1"]


@pytest.mark.parametrize("checked", [".", "src"])
def test_a_central_file_inside_the_checked_repository_is_refused(code_base, refusal, checked):
    code_base({".git/HEAD": "", "ci/exemptions.toml": entry("*"), "src/a.py": SDK_IMPORT})

    assert "inside the checked repository" in refusal("--exemptions", "ci/exemptions.toml", checked)


def test_a_link_to_a_file_inside_the_checked_repository_is_refused(code_base, exemptions, refusal):
    folder = code_base({"exemptions.toml": entry("*"), "a.py": SDK_IMPORT})
    link = exemptions("")
    link.unlink()
    link.symlink_to(folder / "exemptions.toml")

    assert "inside the checked repository" in refusal("--exemptions", link, ".")


def test_two_repositories_are_not_checked_with_one_central_file(code_base, exemptions, refusal):
    code_base({"one/.git/HEAD": "", "two/.git/HEAD": ""})

    assert "one repository" in refusal("--exemptions", exemptions(entry("*")), "one", "two")


def test_a_central_file_that_cannot_be_read_stops_the_scan(code_base, refusal):
    code_base({"a.py": SDK_IMPORT})

    assert "cannot be read" in refusal("--exemptions", "/nowhere/exemptions.toml", ".")


def test_a_repository_is_named_by_a_word(code_base, exemptions, refusal):
    code_base({"a.py": SDK_IMPORT})

    content = entry("*").replace("[[allow]]\n", "[[allow]]\nrepository = 3\n")
    assert "must be its name" in refusal("--exemptions", exemptions(content), ".")


def test_a_repositorys_own_file_names_no_repository(code_base, refusal):
    code_base({".billing-guard.toml": entry("*", repository="bots/shop"), "a.py": SDK_IMPORT})

    assert "needs paths, codes and reason" in refusal(".")


def test_a_name_without_a_central_file_is_refused(code_base, refusal):
    code_base({"a.py": SDK_IMPORT})

    assert "pass --exemptions FILE" in refusal("--repository", "bots/shop", ".")
