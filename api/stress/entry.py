"""What is decided about a request once its caller is known."""

from __future__ import annotations

from starlette.requests import Request

from api.limits import sends_batches
from api.stress.admission import Refusals, place_of
from api.stress.deadlines import deadline_of
from api.stress.places import NoPlace
from api.stress.settings import StressSettings
from api.transport import overloaded
from domain.access import Caller


def admit(request: Request, caller: Caller | None, *, bounds: StressSettings) -> None:
    """Count the request for its caller, whatever token it came with; give batches their time.

    Raises TransportFault (OVERLOADED) where the caller has too many requests in flight.
    """
    if caller is None:
        return
    try:
        place_of(request.scope).belongs_to(caller.subject)
    except NoPlace as refused:
        refusals: Refusals = request.app.state.refusals
        refusals.count(refused.reason)
        raise overloaded() from None
    if sends_batches(caller):
        deadline_of(request.scope).extend_to(bounds.batch_request_s_max)
