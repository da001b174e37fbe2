"""Pictures that members and staff send with their messages."""

from domain.feedback.attachments.images import (
    PIXELS_MAX,
    CleanImage,
    FileFlaw,
    FileRefused,
    MediaType,
    clean_image,
)
from domain.feedback.attachments.keeping import (
    ATTACHMENTS_MAX,
    WAITING_MAX,
    Attachment,
    TooManyUploads,
    attach,
    attachments_of,
    find_attachment,
    forget_attachments,
    keep_upload,
    look_at_attachment,
    member_of_ticket,
    sweep_attachments,
    told_pictures,
)
from domain.feedback.attachments.store import AttachmentFolder, AttachmentStore

__all__ = [
    "ATTACHMENTS_MAX",
    "PIXELS_MAX",
    "WAITING_MAX",
    "Attachment",
    "AttachmentFolder",
    "AttachmentStore",
    "CleanImage",
    "FileFlaw",
    "FileRefused",
    "MediaType",
    "TooManyUploads",
    "attach",
    "attachments_of",
    "clean_image",
    "find_attachment",
    "forget_attachments",
    "keep_upload",
    "look_at_attachment",
    "member_of_ticket",
    "sweep_attachments",
    "told_pictures",
]
