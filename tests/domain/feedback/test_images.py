"""Images are what their content is, and nothing else beside; what is kept is written anew."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from domain.feedback import CleanImage, FileFlaw, FileRefused, MediaType, clean_image
from tests.domain.feedback.pictures import (
    PROGRAM,
    VIDEO,
    archive,
    archive_inside,
    jpeg_with,
    moving,
    picture,
    samsung,
    sized,
)


def opened(clean: CleanImage) -> Image.Image:
    image = Image.open(BytesIO(clean.content))
    image.load()
    return image


def flaw_of(content: bytes, **bounds: int) -> FileFlaw:
    with pytest.raises(FileRefused) as refused:
        clean_image(content, **bounds)
    return refused.value.flaw


@pytest.mark.parametrize("media_type", MediaType)
def test_a_picture_is_taken(media_type: MediaType) -> None:
    clean = clean_image(picture(media_type.name))
    assert (clean.media_type, clean.width, clean.height) == (media_type, 32, 24)
    image = opened(clean)
    assert (image.format, image.size) == (media_type.name, (32, 24))
    red, green, blue = image.convert("RGB").getpixel((9, 9))  # type: ignore[misc]
    assert abs(red - 200) < 6
    assert abs(green - 30) < 6
    assert abs(blue - 60) < 6


def test_nothing_goes_along_that_is_no_picture() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x013B] = "a camera", "Alice Example"
    sent = {
        "JPEG": picture(exif=exif, comment=b"Alice Example", icc_profile=b"Alice Example"),
        "PNG": picture("PNG", exif=exif, icc_profile=b"Alice Example"),
        "WEBP": picture("WEBP", exif=exif, xmp=b"Alice Example"),
    }
    for kind, content in sent.items():
        assert b"Alice" in content or kind == "PNG"
        clean = clean_image(content)
        assert b"Alice" not in clean.content
        left = opened(clean)
        assert not left.getexif()
        assert left.info.keys().isdisjoint({"exif", "icc_profile", "xmp", "comment"})


def test_a_picture_that_lies_on_its_side_is_put_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    clean = clean_image(picture(exif=exif))
    assert (clean.width, clean.height) == (24, 32)
    assert opened(clean).size == (24, 32)


def test_what_can_be_seen_through_stays_so() -> None:
    written = BytesIO()
    Image.new("RGBA", (4, 4), (1, 2, 3, 128)).save(written, "PNG")
    assert opened(clean_image(written.getvalue())).getpixel((0, 0)) == (1, 2, 3, 128)


def test_what_phones_add_behind_a_picture_goes() -> None:
    alone = picture()
    for more in (picture(size=(8, 8)), b"\0" * 700):
        clean = clean_image(alone + more)
        assert clean.content == clean_image(alone).content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + b"\0" * 90,
        PROGRAM,
        archive(),
        b"%PDF-1.7\n",
        b"<svg/>",
        b"\xff\xd8",
        b"RIFF",
    ],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    assert flaw_of(content) is FileFlaw.TYPE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_is_cut_off_is_broken(kind: str) -> None:
    content = picture(kind, size=(200, 100))
    for length in (12, len(content) // 2, len(content) - 3):
        assert flaw_of(content[:length]) is FileFlaw.BROKEN


def test_a_program_that_begins_like_a_picture_is_broken() -> None:
    for begins in (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\xa0\x0f\x00\x00WEBP"):
        assert flaw_of(begins + PROGRAM) is FileFlaw.BROKEN


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("more", [archive(), PROGRAM, b"<script>", b"\0\0x"])
def test_what_follows_a_picture_is_refused(kind: str, more: bytes) -> None:
    assert flaw_of(picture(kind) + more) is FileFlaw.MORE_THAN_AN_IMAGE


@pytest.mark.parametrize(
    "more",
    [
        samsung(),
        samsung(VIDEO),
        VIDEO,
        b"\0" * 24 + VIDEO,
        VIDEO + samsung(),
        VIDEO + b"v3_f31_c    LIVE_3306014",
        b"\0" * 64 + picture() + VIDEO,
    ],
)
def test_what_phones_write_behind_a_photograph_is_left_out(more: bytes) -> None:
    assert clean_image(picture() + more) == clean_image(picture())
    # Nobody else's files have it, and it hides nothing.
    assert flaw_of(picture("PNG") + more) is FileFlaw.MORE_THAN_AN_IMAGE
    for hidden in (archive(), b"<script>alert(1)</script>", b"<?php echo 1;"):
        assert flaw_of(picture() + more + hidden) is FileFlaw.MORE_THAN_AN_IMAGE


@pytest.mark.parametrize(
    "more",
    [
        PROGRAM + VIDEO,
        VIDEO + PROGRAM,
        VIDEO[:-1],
        VIDEO[8:],
        samsung()[:-1],
        b"x" * 40 + b"\x50\0\0\0SEFT",
        PROGRAM + b"\0\0\0\0SEFT",
        samsung().replace(b"SEFH", b"SEFX"),
    ],
)
def test_what_only_resembles_what_phones_write_is_refused(more: bytes) -> None:
    assert flaw_of(picture() + more) is FileFlaw.MORE_THAN_AN_IMAGE


def test_what_a_picture_is_besides_is_found_inside_of_it() -> None:
    assert clean_image(jpeg_with(b"a sunny day")).width == 32
    for comment in (b"%PDF-1.4", b"<ScRiPt>alert(1)", b"<?php system();", b"<!DOCTYPE HTML>"):
        assert flaw_of(jpeg_with(comment)) is FileFlaw.MORE_THAN_AN_IMAGE
    assert flaw_of(archive_inside()) is FileFlaw.MORE_THAN_AN_IMAGE


def test_what_moves_is_refused() -> None:
    assert flaw_of(moving("PNG")) is FileFlaw.ANIMATED
    assert flaw_of(moving("WEBP")) is FileFlaw.ANIMATED


def test_pixels_are_counted_before_they_are_decoded() -> None:
    assert clean_image(picture("PNG", size=(100, 10)), pixels_max=1_000).width == 100
    assert flaw_of(picture("PNG", size=(100, 11)), pixels_max=1_000) is FileFlaw.TOO_MANY_PIXELS
    assert flaw_of(sized(65_535, 65_535)) is FileFlaw.TOO_MANY_PIXELS
    assert flaw_of(sized(5_001, 5_000)) is FileFlaw.TOO_MANY_PIXELS
