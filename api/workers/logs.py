"""What taskiq says, in the form of all other log lines."""

from __future__ import annotations

import logging

import structlog

log = structlog.get_logger("jifen.work")


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log.log(
            record.levelno,
            "taskiq",
            message=record.getMessage(),
            **({"exc_info": record.exc_info} if record.exc_info else {}),
        )


def bring_in_taskiqs_logs() -> None:
    """Send the warnings of taskiq and its brokers where ours go; safe to call twice."""
    logger = logging.getLogger("taskiq")
    logger.handlers = [_ToStructlog()]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
