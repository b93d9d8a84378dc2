"""What every endpoint may ask for: settings, database, content, the time."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.content import Content
from api.database import Database
from api.settings import Settings


@dataclass(frozen=True)
class Service:
    settings: Settings
    database: Database
    content: Content
    clock: Callable[[], dt.datetime]
    # By question: its versions that ask the same, for those that were only mended.
    editions: dict[str, frozenset[str]] = field(default_factory=dict)


async def find_service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


ServiceDep = Annotated[Service, Depends(find_service)]


async def _now(service: ServiceDep) -> dt.datetime:
    return service.clock()


NowDep = Annotated[dt.datetime, Depends(_now)]
