"""Files consumers' complaints with disputes, and resolves some of them as a regulator would."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus

import msgspec
from msgspec import Struct

from simulator.complaints import Complaint
from simulator.retries import Answer, Caller, Connection, SendError
from simulator.totals import Rejection, Totals

_JSON = {"content-type": "application/json"}


class _Filed(Struct, frozen=True):
    id: str


class _ComplaintIn(Struct, frozen=True, kw_only=True):
    platform_id: str
    operator_ref: str
    order_ref: str
    category: str
    description: str
    desired_outcome: str
    claimed_minor: int
    currency: str


class _ResolutionIn(Struct, frozen=True, kw_only=True):
    outcome: str
    note: str


async def file_complaints(
    complaints: Iterable[Complaint],
    *,
    url: str,
    connect: Callable[[Caller], Connection],
    totals: Totals,
    at_once: int,
) -> None:
    """File each complaint with its consumer's token; the idempotency key makes a second run harmless."""
    waiting = iter(complaints)
    filing = _Filing(url, connect, totals)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(filing.work_through(waiting))


class _Filing:
    def __init__(self, url: str, connect: Callable[[Caller], Connection], totals: Totals) -> None:
        self._url = url
        self._connect = connect
        self._totals = totals
        self._regulator = connect(Caller(role="regulator"))

    async def work_through(self, complaints: Iterator[Complaint]) -> None:
        """File one after the other; several workers share the iterator."""
        for complaint in complaints:
            complaint_id = await self._file(complaint)
            if complaint_id is not None and complaint.outcome is not None:
                await self._resolve(complaint, complaint_id)

    async def _file(self, complaint: Complaint) -> str | None:
        consumer = Caller(role="consumer", platform_id=complaint.platform_id, subject=complaint.consumer_ref)
        body = msgspec.json.encode(msgspec.convert(complaint, _ComplaintIn, from_attributes=True))
        headers = _JSON | {"idempotency-key": complaint.idempotency_key}
        answer = await self._connect(consumer).post(f"{self._url}/v1/complaints", body, headers)
        self._totals.sent["complaints"] += 1
        self._totals.retries += answer.retries
        if answer.response.status_code == HTTPStatus.CREATED:
            self._totals.complaints_filed += 1
        elif answer.response.status_code == HTTPStatus.OK:
            self._totals.complaints_repeated += 1
        else:
            self._refused(complaint, answer)
            return None
        return _filed_id(answer)

    async def _resolve(self, complaint: Complaint, complaint_id: str) -> None:
        resolution = _ResolutionIn(outcome=str(complaint.outcome), note="Decided on the documents of the order.")
        url = f"{self._url}/v1/complaints/{complaint_id}/resolution"
        answer = await self._regulator.post(url, msgspec.json.encode(resolution), _JSON)
        self._totals.retries += answer.retries
        if answer.response.status_code == HTTPStatus.OK:
            self._totals.complaints_resolved += 1
        else:
            self._refused(complaint, answer)

    def _refused(self, complaint: Complaint, answer: Answer) -> None:
        refusal = Rejection(
            service="disputes",
            platform_id=complaint.platform_id,
            id=complaint.idempotency_key,
            code=str(answer.response.status_code),
            detail=answer.response.text[:500],
        )
        self._totals.reject([refusal])


def _filed_id(answer: Answer) -> str:
    try:
        return msgspec.json.decode(answer.response.content, type=_Filed).id
    except msgspec.DecodeError as error:
        raise SendError(f"{answer.response.url} answered without an id: {error}") from error
