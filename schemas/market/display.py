"""What a listing shows: pictures, specifications, categories, summary, read from its tags (T402-08, -09, -12).

No decision depends on it, so it is kept once, in the template, and read when somebody looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.market.reading import Tagged, TagReader

_DIMENSIONS = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", re.ASCII | re.IGNORECASE)
_ORDER = re.compile(r"-?[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Image:
    """A picture's address, its size in pixels where it is given, and its sorting number as written."""

    url: str
    width: int | None = None
    height: int | None = None
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Display:
    """All of it, and what was odd."""

    summary: str | None
    images: tuple[Image, ...]
    specs: tuple[tuple[str, str], ...]
    categories: tuple[str, ...]
    warnings: tuple[str, ...]


def read_display(event: Tagged) -> Display:
    """What an event or a template shows; whatever cannot be shown is left out with a warning."""
    tags = TagReader(event)
    return Display(
        summary=tags.text("summary"),
        images=_images(tags),
        specs=_specs(tags),
        categories=_categories(tags),
        warnings=tuple(tags.warnings),
    )


def _images(tags: TagReader) -> tuple[Image, ...]:
    """By their numbers from low to high, wherever they start; those without one follow as they stand."""
    images = [image for tag in tags.all("image") if (image := _image(tags, tag))]
    numbered = sorted((i for i in images if i.order is not None), key=lambda image: image.order or 0)
    return (*numbered, *(image for image in images if image.order is None))


def _image(tags: TagReader, tag: tuple[str, ...]) -> Image | None:
    url = tag[1].strip()
    if not url.lower().startswith(("https://", "http://")):
        tags.warn("bad_image")
        return None
    size = _DIMENSIONS.fullmatch(tag[2].strip()) if len(tag) > 2 else None
    order = tag[3].strip() if len(tag) > 3 else ""
    if (len(tag) > 2 and tag[2].strip() and size is None) or (order and not _ORDER.fullmatch(order)):
        tags.warn("bad_image")
    return Image(
        url,
        width=int(size[1]) if size else None,
        height=int(size[2]) if size else None,
        order=int(order) if _ORDER.fullmatch(order) else None,
    )


def _specs(tags: TagReader) -> tuple[tuple[str, str], ...]:
    """In their order, repeated keys too; one without a value is warned of."""
    specs: list[tuple[str, str]] = []
    for tag in tags.event.tags:
        if tag[0] != "spec":
            continue
        if len(tag) < 3:
            tags.warn("bad_spec")
        else:
            specs.append((tag[1], tag[2]))
    return tuple(specs)


def _categories(tags: TagReader) -> tuple[str, ...]:
    """Each once, compared in lower case, as it was first written."""
    found: dict[str, str] = {}
    for tag in tags.all("t"):
        if name := tag[1].strip():
            found.setdefault(name.lower(), name)
    return tuple(found.values())
