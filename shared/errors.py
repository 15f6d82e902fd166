"""One class per kind of refusal; a service subclasses it beside the code that raises it."""

from typing import ClassVar


class DomainError(Exception):
    """A refusal a caller can act on; `status` is the HTTP status it is answered with."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class Malformed(DomainError):
    """The body cannot be read."""

    status = 400
    code = "malformed_body"


class Unauthenticated(DomainError):
    """Nobody, an expired token or a forged one."""

    status = 401
    code = "unauthenticated"


class Forbidden(DomainError):
    """Somebody, but not one who may."""

    status = 403
    code = "forbidden"


class NotFound(DomainError):
    """No such thing, or none the caller may know of."""

    status = 404
    code = "not_found"


class Conflict(DomainError):
    """The state of the thing does not allow it."""

    status = 409
    code = "conflict"


class TooLarge(DomainError):
    """More than one request may carry."""

    status = 413
    code = "body_too_large"


class UnsupportedMedia(DomainError):
    """A content type this door does not read."""

    status = 415
    code = "unsupported_media_type"


class Invalid(DomainError):
    """A well-formed body with a value that cannot be."""

    status = 422
    code = "invalid_value"


class Busy(DomainError):
    """Come back later: the system protects itself from more than it can carry."""

    status = 429
    code = "too_many_requests"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(DomainError):
    """Something this answer needs does not answer."""

    status = 503
    code = "unavailable"
