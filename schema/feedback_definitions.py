"""Topics of feedback and causes of what went wrong, as staff defines them."""

from __future__ import annotations

from domain import feedback
from domain.feedback import CODES_MAX
from resolvers import tickets as resolvers
from schema.cost import STATEMENT_COST, Cost
from schema.fields import Info, input_type, object_type, view
from schema.level_definitions import DEFINES
from schema.mutations import Payload, mutation

DEFINED = Cost(own=STATEMENT_COST, items=CODES_MAX)
"""The cost of all that are defined."""


@object_type(policy=DEFINES)
class FeedbackTopicDefinition:
    """A topic as it is defined."""

    code: str
    """Its code, for ever."""

    name_zh: str
    """What people call it in Chinese."""

    name_en: str
    """What people call it in English."""

    active: bool
    """Whether it is offered; tickets keep one that is not."""

    version: int
    """How often it was defined; give it to change it."""


@object_type(policy=DEFINES)
class FeedbackCauseDefinition:
    """A cause as it is defined."""

    code: str
    """Its code, for ever."""

    topic: str | None
    """The topic of which it is; null where it is of any."""

    name_zh: str
    """What people call it in Chinese."""

    name_en: str
    """What people call it in English."""

    active: bool
    """Whether it is in use; tickets keep one that is not."""

    version: int
    """How often it was defined; give it to change it."""


@input_type()
class DefineFeedbackTopicInput:
    """What feedback may be about."""

    code: str
    """ASCII letters, digits and `_ . : -`, at most 64."""

    name_zh: str
    """What people call it in Chinese: 1 to 100 characters."""

    name_en: str
    """What people call it in English: 1 to 100 characters."""

    active: bool = True
    """Whether it is offered."""

    version: int = 0
    """The version that was looked at; 0 for one that is new."""


@input_type()
class DefineFeedbackCauseInput:
    """Why something may go wrong."""

    code: str
    """ASCII letters, digits and `_ . : -`, at most 64."""

    topic: str | None = None
    """The topic of which it is; without one, of any."""

    name_zh: str
    """What people call it in Chinese: 1 to 100 characters."""

    name_en: str
    """What people call it in English: 1 to 100 characters."""

    active: bool = True
    """Whether it is in use."""

    version: int = 0
    """The version that was looked at; 0 for one that is new."""


@object_type(policy=DEFINES)
class DefineFeedbackTopicPayload(Payload):
    """What defining a topic led to."""

    topic: FeedbackTopicDefinition | None = None
    """The topic; null when it was refused."""


@object_type(policy=DEFINES)
class DefineFeedbackCausePayload(Payload):
    """What defining a cause led to."""

    cause: FeedbackCauseDefinition | None = None
    """The cause; null when it was refused."""


@mutation(DEFINES)
async def define_feedback_topic(
    info: Info, input: DefineFeedbackTopicInput
) -> DefineFeedbackTopicPayload:
    """Define what feedback may be about, or change it."""
    topic = feedback.Topic(
        code=input.code,
        name_zh=input.name_zh,
        name_en=input.name_en,
        active=input.active,
        version=input.version,
    )
    made: FeedbackTopicDefinition = view(await resolvers.define_topic(info.context, topic))
    return DefineFeedbackTopicPayload(topic=made)


@mutation(DEFINES)
async def define_feedback_cause(
    info: Info, input: DefineFeedbackCauseInput
) -> DefineFeedbackCausePayload:
    """Define why something may go wrong, or change it."""
    cause = feedback.Cause(
        code=input.code,
        topic=input.topic,
        name_zh=input.name_zh,
        name_en=input.name_en,
        active=input.active,
        version=input.version,
    )
    made: FeedbackCauseDefinition = view(await resolvers.define_cause(info.context, cause))
    return DefineFeedbackCausePayload(cause=made)
