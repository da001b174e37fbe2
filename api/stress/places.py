"""Places: how many requests are worked on at once, and who comes next.

One process has one processor, so that more requests at once are not done sooner; they only make
each other, and every refusal, later. So a few are worked on and the others queue. Who would have to
queue for too long is refused on arrival, while that still costs nothing:

- **Each caller has a lane.** Places go round the lanes, so whoever sends one request waits for one
  request of each other caller, not for all that somebody else has sent.
- **A burst is let in, a standing queue is not.** A burst may queue for as long as it takes to work
  it off (`burst_s_max`); a queue that stands for longer than that means overload, in which a longer
  queue only makes every answer later, and newcomers must expect a place at once.
- **Who waits for others gives the place up** (a body that comes slowly, WeChat), and comes back
  before whoever has not begun.

Nothing here does I/O or knows HTTP.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from api.stress.settings import StressSettings

TOLD_WITHIN_S: Final = 0.02
"""Whoever is refused after all learns it this long after arriving."""

STALLED_AFTER: Final = 2.5
"""How many times as long as expected somebody waits at most in a burst: then it has stalled."""

QUIET_S: Final = 0.25
"""A queue that was empty for so long and fills again is a new burst."""

FIRST_TURN_S: Final = 0.005
TURN_WEIGHT: Final = 0.1


class Reason(StrEnum):
    """Why a request is refused."""

    PROCESS_FULL = "process_full"
    QUEUE_TOO_LONG = "queue_too_long"
    CALLER_TOO_BUSY = "caller_too_busy"


class NoPlace(Exception):
    """Raised for a request that is not let in. Nothing has been done for it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True, eq=False)
class _Lane:
    """One caller's requests: how many are in flight, and those that wait to be."""

    key: Hashable
    in_flight: int = 0
    waiting: deque[asyncio.Future[bool]] = field(default_factory=deque)
    in_ring: bool = False


class Place:
    """What a request holds while it is inside. `leave` gives it back; safe to call twice."""

    __slots__ = ("_held", "_lane", "_places", "_subject", "_times_out", "entered_at", "left")

    def __init__(self, places: Places, lane: _Lane, *, entered_at: float) -> None:
        self._places = places
        self._lane = lane
        self._held = True
        self._times_out = 0
        self._subject: Hashable | None = None
        self.entered_at = entered_at
        """When the request arrived, on the loop's clock: before it queued."""
        self.left = False

    def belongs_to(self, subject: Hashable) -> None:
        """Count the request for its caller, whatever token it came with. Raises NoPlace."""
        self._places.count_subject(subject)
        self._subject = subject

    def step_out(self) -> None:
        """Give the place up while the request waits for somebody outside; may be nested."""
        self._times_out += 1
        if self._held and not self.left:
            self._held = False
            self._places.pass_on()

    async def step_in(self) -> None:
        """Take a place again, before those who have not begun; not before the last step in."""
        self._times_out -= 1
        if not self._held and not self.left and self._times_out == 0:
            self._held = await self._places.returned()

    def leave(self) -> None:
        """Give back all that the request holds."""
        if self.left:
            return
        self.left = True
        if self._subject is not None:
            self._places.forget_subject(self._subject)
        self._places.leave(self._lane, held=self._held)


class Places:
    """The places of one process."""

    def __init__(self, bounds: StressSettings) -> None:
        self._bounds = bounds
        self.executing = 0
        self.inside = 0
        self.queued = 0
        self._lanes: dict[Hashable, _Lane] = {}
        self._ring: deque[_Lane] = deque()
        self._returning: deque[asyncio.Future[bool]] = deque()
        self._subjects: Counter[Hashable] = Counter()
        self._turn_s = FIRST_TURN_S
        self._turned_at = 0.0
        self._queue_stands = False
        self._began_at = float("-inf")
        self._emptied_at = float("-inf")

    async def enter(self, key: Hashable) -> Place:
        """A place for a request of the caller `key`, at once or after a while. Raises NoPlace."""
        now = asyncio.get_running_loop().time()
        if self.inside >= self._bounds.inside_max:
            raise NoPlace(Reason.PROCESS_FULL)
        lane = self._lanes.get(key)
        if lane is None:
            lane = _Lane(key)
        if lane.in_flight >= self._bounds.caller_in_flight_max:
            await self._wait_in(
                lane, wait_s=self._caller_wait_s(lane), reason=Reason.CALLER_TOO_BUSY
            )
        elif self.executing < self._bounds.executing_max and not self._ring:
            self._lanes[key] = lane
            lane.in_flight += 1
            self.inside += 1
            self._take()
        else:
            await self._wait_in(lane, wait_s=self._wait_s(lane, now), reason=Reason.QUEUE_TOO_LONG)
        return Place(self, lane, entered_at=now)

    def count_subject(self, subject: Hashable) -> None:
        """One more request of this caller. Raises NoPlace where it has too many."""
        if self._subjects[subject] >= self._bounds.caller_in_flight_max:
            raise NoPlace(Reason.CALLER_TOO_BUSY)
        self._subjects[subject] += 1

    def forget_subject(self, subject: Hashable) -> None:
        """One request less of this caller."""
        self._subjects[subject] -= 1
        if not self._subjects[subject]:
            del self._subjects[subject]

    def leave(self, lane: _Lane, *, held: bool) -> None:
        """A request is done."""
        if held:
            self._note_turn()
        self.inside -= 1
        lane.in_flight -= 1
        self._look_at(lane)
        if held:
            self.pass_on()
        elif self._ring and self.executing < self._bounds.executing_max:
            self._take()
            self.pass_on()

    def pass_on(self) -> None:
        """Give one place to whoever is next, or keep it free."""
        while self._returning:
            coming_back = self._returning.popleft()
            if not coming_back.done():
                coming_back.set_result(True)
                return
        while self._ring:
            lane = self._ring.popleft()
            lane.in_ring = False
            turn = lane.waiting.popleft()
            self.queued -= 1
            if turn.done():  # Cancelled a moment ago.
                self.inside -= 1
                self._look_at(lane)
                continue
            lane.in_flight += 1
            turn.set_result(True)
            self._look_at(lane)
            return
        self.executing -= 1

    async def returned(self) -> bool:
        """Wait for a place, before those who have not begun. Always True."""
        if self.executing < self._bounds.executing_max:
            self._take()
            return True
        turn = asyncio.get_running_loop().create_future()
        self._returning.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.pass_on()
            raise
        return True

    def _take(self) -> None:
        """Take a free place."""
        if not self.executing:
            self._turned_at = asyncio.get_running_loop().time()
        self.executing += 1

    async def _wait_in(self, lane: _Lane, *, wait_s: float, reason: Reason) -> None:
        """Wait for a turn for at most `wait_s` seconds; raises NoPlace, at once where it is 0."""
        if wait_s <= 0:
            raise NoPlace(reason)
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._lanes[lane.key] = lane
        lane.waiting.append(turn)
        self.inside += 1
        self.queued += 1
        self._look_at(lane)
        timer = loop.call_later(wait_s, self._give_up, lane, turn)
        try:
            came = await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._give_up(lane, turn)
            elif turn.result():
                self.leave(lane, held=True)
            raise
        finally:
            timer.cancel()
        if not came:
            raise NoPlace(reason)

    def _give_up(self, lane: _Lane, turn: asyncio.Future[bool]) -> None:
        """Take one who waits out of the queue."""
        if turn not in lane.waiting:
            return
        lane.waiting.remove(turn)
        self.inside -= 1
        self.queued -= 1
        if not turn.done():
            turn.set_result(False)
        self._look_at(lane)

    def _look_at(self, lane: _Lane) -> None:
        """Put the lane where it belongs: into the ring, out of it, or away."""
        belongs = bool(lane.waiting) and lane.in_flight < self._bounds.caller_in_flight_max
        if belongs and not lane.in_ring:
            self._ring.append(lane)
        elif lane.in_ring and not belongs:
            self._ring.remove(lane)
        lane.in_ring = belongs
        if self._queue_stands != bool(self._ring):
            self._note_queue()
        if not lane.waiting and not lane.in_flight:
            self._lanes.pop(lane.key, None)

    def _caller_wait_s(self, lane: _Lane) -> float:
        """How long one more of a busy caller's requests may wait for another one to end."""
        return TOLD_WITHIN_S if len(lane.waiting) < self._bounds.caller_queued_max else 0.0

    def _wait_s(self, lane: _Lane, now: float) -> float:
        """How long a request may queue in this lane; 0 where it would have to expect too much."""
        # While nobody is done, as before a database that hangs, the turns grow longer.
        turn_s = max(self._turn_s, now - self._turned_at) if self.executing else self._turn_s
        ahead = min(self.queued, (len(lane.waiting) + 1) * len(self._ring))
        expected_s = (ahead + 1) * turn_s
        if self._is_burst(now):
            fits = expected_s <= self._bounds.burst_s_max
            return self._bounds.burst_s_max * STALLED_AFTER if fits else 0.0
        return TOLD_WITHIN_S if expected_s <= self._bounds.standing_s_max else 0.0

    def _is_burst(self, now: float) -> bool:
        if not self._queue_stands and now - self._emptied_at > QUIET_S:
            return True
        return now - self._began_at <= self._bounds.burst_s_max

    def _note_queue(self) -> None:
        """The queue begins or ends; after a quiet while it is a new burst."""
        now = asyncio.get_running_loop().time()
        self._queue_stands = bool(self._ring)
        if not self._queue_stands:
            self._emptied_at = now
        elif now - self._emptied_at > QUIET_S:
            self._began_at = now

    def _note_turn(self) -> None:
        """Somebody is done: learn how long that takes while anybody is at work."""
        now = asyncio.get_running_loop().time()
        self._turn_s += TURN_WEIGHT * (now - self._turned_at - self._turn_s)
        self._turned_at = now
