"""The tokens of this machine's terminal, one for each service; READOUT_TOKEN goes before them."""

import json
import os

from api.settings import Settings


def token_for(settings: Settings, base: str) -> str | None:
    return settings.token or _read(settings).get(base.rstrip("/"))


def remember(settings: Settings, base: str, token: str) -> None:
    path = settings.cache_dir / "tokens.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    tokens = _read(settings) | {base.rstrip("/"): token}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # for our eyes only
    with os.fdopen(descriptor, "w") as file:
        json.dump(tokens, file)


def _read(settings: Settings) -> dict[str, str]:
    try:
        found = json.loads((settings.cache_dir / "tokens.json").read_text("utf-8"))
        return {str(base): str(token) for base, token in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}
