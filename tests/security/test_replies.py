"""What every reply carries, and from where a request is heard at all."""

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api import joining, members
from api.app import create_app
from api.guard import LARGEST_BODY
from api.members import invite
from api.settings import Settings
from tests.conftest import API, Clock, Join
from tests.security.routes import documented, dump, routes_of, world

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@pytest.fixture
def https(client: TestClient, clock: Clock) -> Iterator[TestClient]:
    """The service as it stands behind a proxy that speaks HTTPS."""
    settings = client.app.state.service.settings.model_copy(
        update={"base_url": "https://group.example", "cors_origins": ("https://site.example",)}
    )
    with TestClient(create_app(settings, clock), base_url="https://group.example") as client:
        yield client


def fail(*_: object) -> None:
    raise RuntimeError("planted")


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 405, 413, 421, 422, 500, 503])
def test_every_reply_carries_the_security_headers(
    https: TestClient, status: int, monkeypatch: pytest.MonkeyPatch
):
    visitor = TestClient(https.app, base_url=https.base_url, raise_server_exceptions=False)
    match status:
        case 400:
            reply = visitor.get(f"{API}/quizzes/%00")
        case 401:
            reply = visitor.get(f"{API}/me")
        case 403:
            reply = visitor.post(f"{API}/join", headers={"origin": "https://evil.example"})
        case 404:
            reply = visitor.get(f"{API}/nope")
        case 405:
            reply = visitor.put(f"{API}/quizzes")
        case 413:
            reply = visitor.post(f"{API}/join", content=b"x" * (LARGEST_BODY + 1))
        case 421:
            reply = visitor.get(f"{API}/health", headers={"host": "evil.example"})
        case 422:
            reply = visitor.post(f"{API}/join", json={})
        case 500:
            monkeypatch.setattr(https.app.state.service.database, "find", fail)
            reply = visitor.get(f"{API}/me", headers={"Authorization": "Bearer x"})
            assert "planted" not in reply.text
        case 503:
            monkeypatch.setattr(members, "find_member", busy)
            reply = visitor.get(f"{API}/me", headers={"Authorization": "Bearer x"})
        case _:
            reply = visitor.get(f"{API}/health")
    assert reply.status_code == status
    assert {name: reply.headers.get(name) for name in HEADERS} == HEADERS
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["strict-transport-security"] == "max-age=31536000"
    assert reply.headers["content-type"].startswith("application/json")
    assert status < 400 or {"detail", "code"} <= set(reply.json())


async def busy(*_: object) -> None:
    from api.database import Busy

    raise Busy("many are waiting")


def test_a_page_carries_them_too(https: TestClient):
    reply = https.get("/nowhere/")

    assert reply.headers["x-content-type-options"] == "nosniff"
    policy = reply.headers["content-security-policy"]
    assert policy.startswith(
        "default-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none';"
    )


# Other sites -------------------------------------------------------------------------------------

FOREIGN = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "same-site", "origin": "https://other.group.example"},
    {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
    {"sec-fetch-site": "none", "origin": "https://evil.example"},
    {"sec-fetch-site": "SAME-ORIGIN", "origin": "https://evil.example"},
    {"sec-fetch-site": "nonsense"},
    {"sec-fetch-site": ""},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://group.example"},
    {"origin": "https://group.example:8443"},
    {"origin": "https://group.example.evil.example"},
    {"origin": "https://evilgroup.example"},
    {"origin": "https://group.example@evil.example"},
    {"origin": "https://group.example/"},
    {"origin": "file://"},
    {"origin": "\xff"},
]


def test_a_page_of_another_site_changes_nothing(https: TestClient):
    """T7: each endpoint that changes something refuses it before it looks at anything else."""
    unsafe = [(method, path) for method, path in documented() if method not in ("GET", "HEAD")]
    assert len(unsafe) > 15
    for headers, (method, path) in itertools.product(FOREIGN, unsafe):
        raw = [(name, value.encode("latin-1")) for name, value in headers.items()]
        reply = https.request(method, f"{API}{path}", headers=raw)
        found = (reply.status_code, reply.json()["code"])
        assert found == (403, "cross-site"), (headers, method, path)


EVIL = ["https://evil.example", "null", "https://site.example.evil.example", "http://site.example"]
EVIL += ["https://site.example:444", "https://SITE.example", "https://evilsite.example", "*", ""]


def test_no_other_origin_may_read(https: TestClient):
    """T8."""
    for origin in EVIL:
        asked = {"origin": origin, "access-control-request-method": "GET"}
        for reply in (
            https.get(f"{API}/quizzes", headers={"origin": origin}),
            https.options(f"{API}/quizzes", headers=asked),
        ):
            assert "access-control-allow-origin" not in reply.headers, origin
            assert "access-control-allow-credentials" not in reply.headers


def test_the_named_origin_may_read_without_a_cookie(https: TestClient):
    """T8."""
    headers = https.get(f"{API}/quizzes", headers={"origin": "https://site.example"}).headers

    assert headers["access-control-allow-origin"] == "https://site.example"
    assert "access-control-allow-credentials" not in headers
    assert "origin" in headers["vary"].lower()


@pytest.mark.parametrize(
    "origins",
    ["*", "null", "https://a.example/", "https://A.example", "a.example", "https://a.example,*"],
)
def test_an_origin_that_is_none_stops_the_start(origins: str):
    """T8."""
    with pytest.raises(ValueError, match="is no exact origin"):
        Settings(cors_origins=origins)


def test_exact_origins_and_proxies_are_read_from_one_line():
    settings = Settings(
        cors_origins="https://a.example, http://[::1]:8000", proxies="127.0.0.1,10.0.0.0/8"
    )
    assert settings.cors_origins == ("https://a.example", "http://[::1]:8000")
    assert settings.proxies == ("127.0.0.1", "10.0.0.0/8")
    with pytest.raises(ValueError, match="'anywhere' does not appear to be"):
        Settings(proxies="anywhere")


# Hosts and addresses -----------------------------------------------------------------------------


HOSTS = {
    200: [
        "testserver",
        "TESTSERVER:8000",
        "localhost:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
        "[::1]",
    ],
    421: [
        *("evil.example", "testserver.evil.example", "testserver@evil.example", "a b", ""),
        *("evil.example/testserver", "testserver/../api", "testserver:80:80", "[testserver]"),
    ],
}


def test_the_service_answers_to_its_own_name(client: TestClient):
    """T29."""
    for status, hosts in HOSTS.items():
        for host in hosts:
            reply = client.get(f"{API}/health", headers={"host": host})
            assert reply.status_code == status, host


SPELLINGS = ["//api/v1/members", "/api/v1//members", "/api/v1/members/", "/API/v1/members"]
FORMS = ["{}", "/x/..{}", "/x/%2e%2e{}", "{}%2f", "{}?x=/api/v1/health"]


def test_no_spelling_of_an_address_opens_it(client: TestClient):
    """T29."""
    for path, form in itertools.product(SPELLINGS, FORMS):
        reply = client.get(f"http://testserver{form.format(path)}", follow_redirects=False)
        assert reply.status_code in (401, 404), (path, form)


LEAVING = [
    *(
        "//evil.example",
        "/\\evil.example",
        "/\\/evil.example",
        "/%5cevil.example",
        "/.//evil.example",
    ),
    *("/%09/evil.example", "/%0d%0aLocation:%20//evil.example", "/https:evil.example", "/%2f/evil"),
]


def test_no_redirect_leaves_the_site(site: TestClient):
    """T23."""
    redirected = 0
    for path, end in itertools.product(["/library", *LEAVING], ["", "/", "/.."]):
        reply = site.get(f"http://testserver{path}{end}", follow_redirects=False)
        to = reply.headers.get("location", "http://testserver/")
        redirected += "location" in reply.headers
        assert to.startswith("http://testserver/"), path
        assert not {"\n", "\r", "\t"} & set(to)
    assert redirected


@pytest.fixture
def site(client: TestClient, clock: Clock, tmp_path: Path) -> Iterator[TestClient]:
    """The service beside a site, and a secret beside both."""
    folder = tmp_path / "site"
    for name in ("evil.example", "library"):
        (folder / name).mkdir(parents=True)
        (folder / name / "index.html").write_text("a page")
    (tmp_path / "site_secret").mkdir()
    (tmp_path / "site_secret" / "key.txt").write_text("the secret")
    (folder / "out").symlink_to(tmp_path / "site_secret")
    (folder / ".env").write_text("the secret")
    with TestClient(create_app(client.app.state.service.settings, clock)) as client:
        yield client


OUT = ["..", "%2e%2e", "..%2f", "%2e%2e%2f", "..\\", "..%5c", "x/..%2f..", "./..", "%252e%252e"]


ENDS = ["site_secret/key.txt", "_secret/key.txt", "key.txt", ".env", "%2eenv"]


def test_no_address_leaves_the_folder_of_the_site(site: TestClient):
    """T15."""
    for out, start, end in itertools.product(OUT, ["", "library/", "out/"], ENDS):
        for path in (f"/{start}{out}/{end}", f"/{start}{end}", f"/{start}{out}{end}"):
            assert "the secret" not in site.get(f"http://testserver{path}").text, path
    assert site.get("/library/").text == "a page"


def test_no_folder_is_listed_and_no_error_is_shown(
    site: TestClient, monkeypatch: pytest.MonkeyPatch
):
    folder = site.app.state.service.settings.site_dir
    (folder / "pictures").mkdir()
    (folder / "pictures" / "of-one.png").write_bytes(b"x")
    for path in ("/", "/pictures", "/pictures/"):
        reply = site.get(path)
        assert (reply.status_code, "of-one" in reply.text) == (404, False), path
    assert site.get("/pictures/of-one.png").content == b"x"

    assert not site.app.debug
    monkeypatch.setattr(site.app.state.service.database, "find", fail)
    visitor = TestClient(site.app, raise_server_exceptions=False)
    reply = visitor.get(f"{API}/me", headers={"Authorization": "Bearer x", "Accept": "text/html"})
    assert reply.status_code == 500
    for told in ("planted", "Traceback", ".py"):
        assert told not in reply.text


# Sizes -------------------------------------------------------------------------------------------


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024
    yield b" " * (size % 1024)


@pytest.mark.parametrize("by", ["length", "chunks"])
def test_a_body_over_64_kib_is_refused(join: Join, by: str):
    """T12: by each endpoint, however its length is told."""
    group = world(join)
    before = dump(group.own)
    for method, path in documented():
        if group.body(method, path) is None:
            continue
        headers = {"content-type": "application/json", "If-Match": '"1"'}
        size = LARGEST_BODY + 1
        content = chunks(size) if by == "chunks" else b" " * size
        reply = group.own.request(method, group.fill(path), content=content, headers=headers)
        assert reply.status_code == 413, (method, path)
        assert reply.json()["code"] == "too-large"
    assert dump(group.own) == before


def test_a_compressed_body_is_not_unpacked(client: TestClient):
    """T12."""
    import gzip

    body = gzip.compress(b'{"invite": "x", "name": "' + b"x" * 10_000_000 + b'"}')
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    assert client.post(f"{API}/join", content=body, headers=headers).status_code == 400


# Sessions ----------------------------------------------------------------------------------------


def test_the_cookie_over_https_is_for_this_host_alone(https: TestClient, clock: Clock):
    """T11."""
    database = https.app.state.service.database
    code = database.write(lambda session: invite(session, "Ada", "member", clock()))
    https.cookies.set("__Host-readout", "chosen-by-somebody-else")
    reply = https.post(f"{API}/join", json={"invite": code, "name": "Ada"})

    [cookie] = reply.headers.get_list("set-cookie")
    name, *attributes = [part.strip() for part in cookie.split(";")]
    assert name == f"__Host-readout={reply.json()['token']}"
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(attributes)
    assert not [part for part in attributes if part.lower().startswith("domain")]
    fixed = TestClient(https.app, base_url=https.base_url)
    fixed.cookies.set("__Host-readout", "chosen-by-somebody-else")
    assert fixed.get(f"{API}/me").status_code == 401


def test_two_endpoints_make_a_session_and_no_other(join: Join):
    """Sign-in has no side door."""
    group, making = world(join), []
    for method, path in documented():
        if path != "/me" and (method, path) != ("DELETE", "/session"):
            group.prepare(method, path)
            visitor = group.as_organizer()
            reply = group.call(visitor, method, path)
            told = method != "GET" and '"token"' in reply.text
            if "set-cookie" in reply.headers or told:
                making.append((method, path))
    assert making == [("POST", "/join"), ("POST", "/session")]
    assert set(making) < routes_of(group.own.app)


def test_the_log_tells_no_secret_and_is_not_written_by_others(
    join: Join, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    """T26."""
    caplog.set_level(logging.DEBUG)
    group = world(join)
    mark, secrets = "CANARY-IN-A-BODY", []
    for method, path in documented():
        if (method, path) in (("DELETE", "/me"), ("DELETE", "/session")):
            continue
        group.prepare(method, path)
        visitor = group.as_organizer()
        group.call(visitor, method, path)
        forged = {"User-Agent": "FORGED", "X-Forwarded-For": "FORGED"}
        body = group.body(method, path)
        if body is not None:
            group.call(
                visitor, method, path, json={**body, "name": mark, "x": mark}, headers=forged
            )
        secrets += [
            group.ids.get("invite", mark),
            group.ids.get("code", mark),
            *visitor.cookies.values(),
            *group.organizer.cookies.values(),
        ]
    written = caplog.text + "".join(capfd.readouterr())
    assert "made an invitation" in written
    for secret in {mark, "FORGED", *secrets}:
        assert secret not in written
        assert joining._plain(secret) not in written
