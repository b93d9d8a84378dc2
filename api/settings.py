"""What an installation may set, read once from the environment."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


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
        pattern=r"^https?://[^\s/]+",
        description="The address under which members reach the site; join links begin with it.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Exact origins, separated by commas, of a site that is served elsewhere.",
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

    @property
    def base(self) -> str:
        """`base_url` without the slash at its end."""
        return self.base_url.rstrip("/")


@lru_cache
def settings() -> Settings:
    return Settings()
