"""How every service speaks HTTP: sessions, problems, health, metrics, trace context."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any

import asyncpg
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry import propagate, trace
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import measures
from shared.auth import CallerDep, Role, TokenVerifier
from shared.database import (
    EVERY_PLATFORM,
    NO_PLATFORM,
    is_connection_error,
    make_engine,
    make_sessions,
    see_platform,
)
from shared.errors import Busy, DomainError
from shared.settings import ServiceSettings

log = structlog.get_logger(__name__)
PROBLEM = "application/problem+json"

_SEES_EVERYTHING = {Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR, Role.CONSUMER}


class Problem(BaseModel):
    """RFC 9457 problem details, with a stable `code` and, where a field is at fault, its JSON `pointer`."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    code: str
    pointer: str | None = None


_SVG = "image/svg+xml"
_NOTHING_LOADED = "default-src 'none'; style-src 'unsafe-inline'"
# Documents a route that answers with a picture.
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {_SVG: {}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # FastAPI's own type for `responses`
    """Document the refusals of a route."""
    return {status: {"model": Problem, "content": {PROBLEM: {}}} for status in (*statuses, 503)}


def picture(content: bytes | str) -> Response:
    """Return a drawing as SVG. One that is opened by itself runs nothing and asks for nothing."""
    return Response(content, media_type=_SVG, headers={"content-security-policy": _NOTHING_LOADED})


def build_app(
    settings: ServiceSettings,
    *routers: APIRouter,
    title: str,
    tasks: Sequence[Callable[[FastAPI], Awaitable[None]]] = (),
) -> FastAPI:
    """Return a service's application: its routers behind what all services share."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            engine = make_engine(settings.database_url)
            stack.push_async_callback(engine.dispose)
            app.state.sessions = make_sessions(engine)
            running = [asyncio.ensure_future(task(app)) for task in tasks]
            try:
                yield
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)

    app = FastAPI(title=title, version="1", lifespan=lifespan, openapi_url="/openapi.json", redirect_slashes=False)
    app.state.settings = settings
    app.state.verifier = TokenVerifier(settings.auth_issuer, settings.auth_jwks)
    app.state.registry = CollectorRegistry()
    app.add_middleware(_Observed, service=settings.service, registry=app.state.registry)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    for router in (_operations(settings.service), *routers):
        app.include_router(router)
    return app


async def _request_session(request: Request, caller: CallerDep) -> AsyncIterator[AsyncSession]:
    platform = EVERY_PLATFORM if caller.role in _SEES_EVERYTHING else caller.platform_id or NO_PLATFORM
    async with request.app.state.sessions() as session, session.begin():
        await see_platform(session, platform)
        yield session


async def _public_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session, session.begin():
        await see_platform(session, EVERY_PLATFORM)
        yield session


# scope="function": the commit happens before the response leaves, so its failure still becomes an error.
SessionDep = Annotated[AsyncSession, Depends(_request_session, scope="function")]
PublicSessionDep = Annotated[AsyncSession, Depends(_public_session, scope="function")]


def _operations(service: str) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Tell that the process lives."""
        return {"status": "ok"}

    @router.get("/readyz", responses=problems())
    async def readyz(request: Request) -> dict[str, str]:
        """Tell that the database answers."""
        async with request.app.state.sessions() as session:
            await session.execute(text("SELECT 1"))
        return {"status": "ready"}

    @router.get("/metrics", responses={200: {"content": {"text/plain": {}}}, **problems()})
    async def metrics(request: Request) -> Response:
        """Serve request timings, and what the database knows: lag, outbox age, quarantine, batch timings."""
        own = generate_latest(request.app.state.registry)
        stored = await measures.exposition(request.app.state.sessions, service)
        return Response(own + stored, media_type=CONTENT_TYPE_LATEST)

    return router


def problem(request: Request, status: int, code: str, detail: str, pointer: str | None = None) -> JSONResponse:
    """Render one refusal."""
    body = Problem(
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=detail,
        instance=request.url.path,
        code=code,
        pointer=pointer,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, media_type=PROBLEM)


async def _refused(request: Request, error: DomainError) -> JSONResponse:
    log.info("refused", code=error.code, detail=error.detail, path=request.url.path)
    response = problem(request, error.status, error.code, error.detail, error.pointer)
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    where = "/" + "/".join(str(step) for step in first["loc"])
    if first["type"] == "json_invalid":
        return problem(request, 400, "malformed_json", str(first.get("ctx", {}).get("error", "")), "/body")
    return problem(request, 422, str(first["type"]), str(first["msg"]), where)


async def _plain(request: Request, error: HTTPException) -> JSONResponse:
    response = problem(request, error.status_code, "http_error", str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _world(request: Request, error: Exception) -> JSONResponse:
    if not is_connection_error(error):
        raise error
    return _away(request, error)


# Starlette types a handler's error as Exception; each of these is registered for the kind it takes.
_HANDLERS: dict[type[Exception], Any] = {
    DomainError: _refused,
    RequestValidationError: _malformed,
    HTTPException: _plain,
    DBAPIError: _world,
    OSError: _world,
    asyncpg.PostgresError: _world,
    asyncpg.InterfaceError: _world,
}


def _away(request: Request, error: Exception) -> JSONResponse:
    log.warning("database_away", error=repr(error), path=request.url.path)
    response = problem(request, 503, "unavailable", "the database does not answer; try again")
    response.headers["Retry-After"] = "1"
    return response


class _Observed:
    """Joins the caller's trace, times every request by its route, and names the correlation id in the answer."""

    def __init__(self, app: ASGIApp, *, service: str, registry: CollectorRegistry) -> None:
        self._app = app
        self._tracer = trace.get_tracer("crosswatch.web")
        self._seconds = Histogram(
            "crosswatch_request_seconds",
            "Time to answer",
            ["service", "method", "route", "status"],
            registry=registry,
        )
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carrier = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"] if k == b"traceparent"}
        started, status = time.perf_counter(), 500

        with self._tracer.start_as_current_span(
            f"{scope['method']} {scope['path']}", context=propagate.extract(carrier)
        ) as span:
            trace_id = f"{span.get_span_context().trace_id:032x}"

            async def answer(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message["headers"] = [*message["headers"], (b"x-correlation-id", trace_id.encode())]
                await send(message)

            structlog.contextvars.bind_contextvars(correlation_id=trace_id)
            try:
                await self._app(scope, receive, answer)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                self._seconds.labels(self._service, scope["method"], route, str(status)).observe(
                    time.perf_counter() - started
                )
