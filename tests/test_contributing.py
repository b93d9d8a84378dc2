"""What a contributor meets on the code host: templates, the form, and workflows without rights."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

HOST = ROOT / ".github"
WORKFLOWS = sorted((HOST / "workflows").glob("*.yml"))


def read(path: Path) -> Any:
    # BaseLoader: `on:` is a word and no truth value.
    return yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)


def jobs(path: Path) -> list[dict[str, Any]]:
    return list(read(path)["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_that_a_job_does_not_name(path):
    assert read(path)["permissions"] == {}
    assert all("permissions" in job and "timeout-minutes" in job for job in jobs(path))
    used = [step["uses"] for job in jobs(path) for step in job["steps"] if "uses" in step]
    assert used
    # A tag can be moved to other code; a commit cannot.
    assert [name for name in used if not re.fullmatch(r"[\w/.-]+@[0-9a-f]{40}", name)] == []


def test_contributed_code_sees_no_secret_and_may_write_nothing():
    [path] = [path for path in WORKFLOWS if "pull_request" in read(path)["on"]]

    assert list(read(path)["on"]) == ["pull_request"]
    assert [job["permissions"] for job in jobs(path)] == [{"contents": "read"}] * len(jobs(path))
    assert "secrets." not in path.read_text("utf-8")
    checkouts = [
        step
        for job in jobs(path)
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert [step["with"]["persist-credentials"] for step in checkouts] == ["false"] * len(checkouts)


def test_a_pull_request_is_checked_and_previewed():
    text = (HOST / "workflows" / "pull-request.yml").read_text("utf-8")

    assert text.index("readout build --preview") < text.index("readout check --format github")
    assert "upload-artifact" in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_that_a_contributor_writes_becomes_part_of_a_command(path):
    commands = [step["run"] for job in jobs(path) for step in job["steps"] if "run" in step]

    assert [command for command in commands if "${{" in command] == []


def test_each_kind_of_contribution_has_its_template():
    names = {path.stem for path in (HOST / "PULL_REQUEST_TEMPLATE").glob("*.md")}

    assert {"paper", "talk", "meeting", "quiz"} <= names
    named = re.findall(r"\b([a-z]+)\.md\b", (HOST / "pull_request_template.md").read_text("utf-8"))
    assert set(named) == names
    for path in (HOST / "PULL_REQUEST_TEMPLATE").glob("*.md"):
        assert "- [ ]" in path.read_text("utf-8")


def test_the_form_for_a_paper_offers_the_topics_that_there_are():
    form = read(HOST / "ISSUE_TEMPLATE" / "suggest-a-paper.yml")

    fields = {field["id"]: field for field in form["body"]}
    topics = {path.stem for path in (ROOT / "docs" / "topics").glob("*.md")}
    assert set(fields["topic"]["attributes"]["options"]) == {*topics, "another"}
    assert all(
        fields[name]["validations"]["required"] == "true" for name in ("url", "topic", "why")
    )
