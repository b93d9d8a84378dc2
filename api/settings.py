"""What an installation may set, read once from the environment."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

if TYPE_CHECKING:
    from sqlalchemy import URL

DATABASE = re.compile(r"sqlite:///.|postgres(ql)?(\+psycopg)?://")
# What the header Host of a request may be: a name or an address, and perhaps a port.
HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
ADDRESS = re.compile(rf"https?://{HOST.pattern}(/[^\s?#]*)?")
# A browser sends an origin in this form. `*` and `null` are none, and any site could send them.
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")


def is_address(text: str) -> bool:
    """Whether a site can be reached there: join links begin with it."""
    try:
        return bool(ADDRESS.fullmatch(text)) and urlsplit(text).port != 0
    except ValueError:  # a port above 65535, or no address in the brackets
        return False


def _check_server(url: "URL") -> None:
    # After a bare @ in a password, the rest of it would be told as a host that is not found.
    if "@" in f"{url.host}{url.database}":
        raise ValueError("the host or the name holds an @; write @ in a password as %40")


def _check_file(url: "URL") -> None:
    if url.query or (url.database or "").startswith("file:"):
        raise ValueError("sqlite:/// takes the path of a file alone, without file: and without ?")


def _split(given: object) -> object:
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else given


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Each field is read from READOUT_<NAME>; the descriptions are printed in docs/operating.md."""

    model_config = SettingsConfigDict(
        env_prefix="READOUT_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    database_url: str = Field(
        default="sqlite:///data/readout.sqlite3",
        description="Where members, answers and notes are kept: sqlite:///PATH or postgresql://...",
    )
    content_dir: Path = Field(
        default=Path("docs"), description="The folder of topics, library, meetings and quizzes."
    )
    executed_dir: Path = Field(
        default=Path("demos/executed"), description="The folder of executed notebooks."
    )
    site_dir: Path = Field(default=Path("site"), description="The folder of the built site.")
    base_url: str = Field(
        default="http://127.0.0.1:8000",
        description="The address under which members reach the site; join links begin with it.",
    )
    cors_origins: Listed = Field(
        default=(),
        description="Exact origins, separated by commas, of a site that is served elsewhere.",
    )
    proxies: Listed = Field(
        default=(),
        description="Addresses, separated by commas, of the reverse proxies that are believed.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="json: a line a request, without query, headers or body."
    )
    metrics_token: str | None = Field(
        default=None,
        min_length=16,
        description="Who brings it as a bearer token may read /api/v1/metrics, as organizers may.",
    )
    token: str | None = Field(
        default=None, description="Who `readout quiz take` answers as, when not by a join link."
    )
    model: str | None = Field(
        default=None, description="The language model of the demos: a hub name or a folder."
    )
    model_gguf: Path | None = Field(
        default=None, description="The GGUF file of the default model, when it is not in the cache."
    )
    cache_dir: Path = Field(
        default=Path(".cache"), description="Where the converted model is kept between runs."
    )
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="The seed of all that the demos draw at random."
    )

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, given: str) -> str:
        address = given.strip()
        if not is_address(address):
            raise ValueError(
                f"{address!r} is no address of a site; write https://site.example, perhaps with "
                "a port from 1 to 65535 and a path"
            )
        return address

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, given: str) -> str:
        if not DATABASE.match(given):
            raise ValueError(
                "no address of a database that Readout knows; write sqlite:///data/readout.sqlite3 "
                "or postgresql://user@host/name"
            )
        from sqlalchemy import make_url  # `check` goes without
        from sqlalchemy.exc import ArgumentError

        try:
            url = make_url(given)
        except (ValueError, ArgumentError):  # which may show a piece of the password
            raise ValueError(
                "the port is no number; write @ and : in a password as %40 and %3A"
            ) from None
        (_check_file if given.startswith("sqlite:") else _check_server)(url)
        return given

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for origin in given:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no exact origin; write https://site.example, in small letters, "
                    "with nothing after the name or the port"
                )
        return given

    @field_validator("proxies")
    @classmethod
    def _are_addresses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for address in given:
            ip_network(address)  # its message names the address
        return given

    @property
    def base(self) -> str:
        """`base_url` without the slash at its end."""
        return self.base_url.rstrip("/")

    @property
    def host(self) -> str:
        """The name in `base_url`, without the port."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https:")
