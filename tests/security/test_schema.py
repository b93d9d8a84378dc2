"""What the service says of itself is so: each call that its description allows is answered as said.

Schemathesis draws the calls from the description, good ones and bad ones. It sends nothing that
JSON cannot say: for that, see `test_raw.py`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as described

from api import bounded, joining
from tests.conftest import API, Join
from tests.durability.child import Here
from tests.security.routes import World, removed, world

CHECKS = [
    not_a_server_error,
    described.status_code_conformance,
    described.content_type_conformance,
    described.response_headers_conformance,
    described.response_schema_conformance,
    described.negative_data_rejection,
    described.missing_required_header,
]
# Of a note, the description cannot say that it has one place and more than blanks, nor which
# version is there; of a name, which characters steer a terminal. All else that it allows is taken.
NOT_SAID = ("/notes", "/notes/preview", "/notes/{note_id}", "/join", "/invitations")
# Calls of each kind to each endpoint, in five roles.
EACH = {"sqlite": 3, "postgresql": 1}


def search(each: int) -> settings:
    return settings(
        max_examples=each,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def test_every_reply_is_as_the_description_says(join: Join, monkeypatch: pytest.MonkeyPatch):
    for limit in ("MOST_WRONG", "MOST_WRONG_OF_ALL"):
        monkeypatch.setattr(joining, limit, 10**9)  # a refusal of all codes would hide the rest
    monkeypatch.setattr(bounded, "_pool", lambda _: Here())
    app = join().app
    each = EACH[app.state.service.database.kind]
    wrong: list[str] = []
    statuses: Counter[int] = Counter()

    def ask(visitors: list[TestClient], case: Any) -> None:
        for cookies in [dict(visitor.cookies) for visitor in visitors]:
            sent = case.as_transport_kwargs(base_url="http://testserver")
            cookies |= sent.pop("cookies", None) or {}
            reply = TestClient(app, cookies=cookies).request(**sent)
            statuses[reply.status_code] += 1
            try:
                case.validate_response(reply, checks=checks(case))
            except FailureGroup as failures:
                wrong.extend(f"{case.operation.label}: {one}" for one in failures.exceptions)

    for operation in operations(app):
        group = world(join)  # the last call may have ended a membership
        visitors = st.just(in_each_role(join, group))
        # What is refused changes nothing, so it goes first.
        for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE):
            if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation):
                continue
            asked = given(visitors, cases(operation, mode, group))(ask)
            with suppress(Unsatisfiable):  # an optional header of text is never wrong, too
                search(each)(asked)()

    assert "\n".join(wrong[:10]) == ""
    assert sum(statuses.values()) > 200 * each
    assert {200, 201, 204, 401, 403, 404, 422, 428} <= set(statuses)


def can_be_wrong(operation: Any) -> bool:
    """Whether a call could be one that the description forbids: not where any text will do."""
    given = operation.definition.raw.get("parameters", [])
    return bool(operation.body) or any(set(one["schema"]) - {"type", "title"} for one in given)


def checks(case: Any) -> list[Any]:
    said = case.operation.path.removeprefix(API) not in NOT_SAID
    return [*CHECKS, described.positive_data_acceptance] if said else CHECKS


def in_each_role(join: Join, group: World) -> list[TestClient]:
    nobody, organizer = group.stranger, join("Grace", "organizer")
    return [nobody, group.own, join("Bo"), organizer, removed(join, group)]


def operations(app: Any) -> Iterator[Any]:
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        yield found.ok()


def cases(operation: Any, mode: Any, group: World) -> st.SearchStrategy[Any]:
    """Calls to an endpoint, some about things that are there."""
    group.prepare(operation.method.upper(), operation.path.removeprefix(API))
    named = {name: group.ids[name] for name in group.ids if f"{{{name}}}" in operation.path}
    drawn = operation.as_strategy(generation_mode=mode)
    if not named or mode is GenerationMode.NEGATIVE:
        return drawn
    return operation.as_strategy(generation_mode=mode, path_parameters=named) | drawn
