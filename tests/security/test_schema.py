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
from tests.security.routes import World, world

CHECKS = [
    not_a_server_error,
    described.status_code_conformance,
    described.content_type_conformance,
    described.response_headers_conformance,
    described.response_schema_conformance,
]
EACH = 6  # calls of each kind to each endpoint, in three roles
SEARCH = settings(
    max_examples=EACH,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is said over the wire is the same on both, and the corpus of `test_raw.py` asks both."""
    return sqlite_url


def test_every_reply_is_as_the_description_says(join: Join, monkeypatch: pytest.MonkeyPatch):
    for limit in ("MOST_WRONG", "MOST_WRONG_OF_ALL"):
        monkeypatch.setattr(joining, limit, 10**9)  # a refusal of all codes would hide the rest
    monkeypatch.setattr(bounded, "_pool", lambda _: Here())
    group = world(join)
    wrong: list[str] = []
    statuses: Counter[int] = Counter()

    def ask(case: Any) -> None:
        """In three roles, each on a device of its own: the call may end the session."""
        for visitor in (TestClient(group.own.app), join("Ada"), join("Grace", "organizer")):
            sent = case.as_transport_kwargs(base_url="http://testserver")
            visitor.cookies.update(sent.pop("cookies", None) or {})
            reply = visitor.request(**sent)
            statuses[reply.status_code] += 1
            try:
                case.validate_response(reply, checks=CHECKS)
            except FailureGroup as failures:
                wrong.extend(f"{case.operation.label}: {one}" for one in failures.exceptions)

    for operation in operations(group.own.app):
        for mode in GenerationMode:
            with suppress(Unsatisfiable):  # where nothing is sent, nothing can be wrong with it
                SEARCH(given(case=cases(operation, mode, group))(ask))()

    assert "\n".join(wrong[:10]) == ""
    assert sum(statuses.values()) > 800
    assert {200, 201, 204, 401, 403, 404, 422, 428} <= set(statuses)


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
