"""A department's side: takes signed notices, keeps and shows them. `python -m simulator.receiver`."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import typer
import uvicorn
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulator.notices import Notice, NoticeStore, StoredNotice
from simulator.signatures import ForgedError, KeysUnavailableError, PublicKeys, check_signature

_LARGEST_PAGE = 1_000


# What SQLite can hold.
_Seq = Annotated[int, Meta(le=2**63 - 1)]


class _Subject(Struct, frozen=True):
    operator_id: str | None = None
    account_id: str | None = None
    seq: _Seq | None = None


class _Body(Struct, frozen=True):
    type: str
    data: _Subject


class _Page(Struct, frozen=True):
    notices: list[StoredNotice]
    next: int | None


class Department:
    """The doors of the receiver: one to send notices to, two to look at what came."""

    def __init__(self, store: NoticeStore, keys: PublicKeys, clock: Callable[[], float]) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock

    async def receive(self, request: Request) -> Response:
        """Answer 204 once a good notice is on disk, 401 to a forged one, 503 while the keys are missing."""
        body, now = await request.body(), self._clock()
        try:
            webhook_id = await check_signature(request.headers, body, self._keys, now=now)
            content = msgspec.json.decode(body, type=_Body)
        except ForgedError as error:
            await self._store.refuse(str(error))
            return Response(str(error), HTTPStatus.UNAUTHORIZED)
        except KeysUnavailableError as error:
            return Response(str(error), HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "1"})
        except msgspec.DecodeError as error:
            # Signed, so it is the gateway's own mistake and not an attack: it must not be sent for ever.
            await self._store.refuse("signed, but not a notice")
            return Response(str(error), HTTPStatus.BAD_REQUEST)
        notice = Notice(
            department=request.path_params["department"],
            webhook_id=webhook_id,
            type=content.type,
            operator_id=content.data.operator_id or content.data.account_id,
            seq=content.data.seq,
            body=body,
            received_at=datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        )
        await self._store.store(notice)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def summary(self, _: Request) -> Response:
        """Answer with the counts of all departments."""
        return _json(await run_in_threadpool(self._store.summary))

    async def page(self, request: Request) -> Response:
        """Answer with the notices after a position; `next` is where to go on."""
        try:
            after = int(request.query_params.get("after", "0"))
            limit = min(max(int(request.query_params.get("limit", "100")), 1), _LARGEST_PAGE)
        except ValueError:
            return Response("after and limit are numbers", HTTPStatus.BAD_REQUEST)
        department = request.path_params["department"]
        notices = await run_in_threadpool(self._store.page, department, after=after, limit=limit)
        return _json(_Page(notices, notices[-1].position if len(notices) == limit else None))


def create_app(
    data: Path, *, keys_url: str, client: httpx.AsyncClient, clock: Callable[[], float] = time.time
) -> Starlette:
    """Return the receiver; it closes the client and the file when it stops."""
    store = NoticeStore(data)
    department = Department(store, PublicKeys(keys_url, client=client), clock)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await client.aclose()
        store.close()

    return Starlette(
        routes=[
            Route("/notices", department.summary),
            Route("/notices/{department}", department.receive, methods=["POST"]),
            Route("/notices/{department}", department.page, methods=["GET"]),
        ],
        lifespan=lifespan,
    )


def main(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")],
    data: Annotated[Path, typer.Option(help="Directory of the notices.")],
    keys: Annotated[str, typer.Option(help="Address of the sender's public keys.")],
) -> None:
    """Receive signed notices until stopped."""
    # trust_env: the gateway is on this machine, a proxy of the environment is not.
    client = httpx.AsyncClient(timeout=5.0, trust_env=False)
    app = create_app(data, keys_url=keys, client=client)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )


def _json(content: Struct) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")


if __name__ == "__main__":
    typer.run(main)
