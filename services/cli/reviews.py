"""What buyers say of the goods, and what it comes to."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.output import as_json, fail, table

app = typer.Typer()


class By(StrEnum):
    """What reviews are added up for."""

    PRODUCT = "product"
    PARENT = "parent"
    MERCHANT = "merchant"


_STANDING = {
    "counts": "",
    "own": "the shop's own",
    "muted": "buyer is declined",
    "waiting": "no such product yet",
}
"""Why a review does not count."""


@app.command()
def reviews(
    home: Home = None,
    by: Annotated[
        By | None, typer.Option(help="Add them up: for each product, variable product with its variations, or shop.")
    ] = None,
    product: Annotated[str, typer.Option(help="Only those of this listing, by its address or name (`d`).")] = "",
    verified: Annotated[bool, typer.Option("--verified", help="Only by buyers with a completed order.")] = False,
    json_: Json = False,
) -> None:
    """What buyers say; with --by, what it comes to."""
    stack = Stack(home or Path())
    if by is not None:
        _ratings(stack, by, product, verified, json_)
        return
    address = _address(stack, product) if product else ""
    rows = stack.get("/reviews", product=address, verified=verified)
    if json_:
        as_json(rows)
        return
    table(
        "Reviews",
        ("product", "stars", "score", "bought", "does not count", "author", "when"),
        (
            (
                _title(r["title"], r["product"]),
                stars(r["score"]),
                _score(r["score"]),
                "yes" if r["is_verified"] else "",
                _STANDING.get(r["standing"], r["standing"]),
                r["author"][:12],
                str(r["reviewed_at"]).replace("T", " ")[:19],
            )
            for r in rows
        ),
        "No reviews yet.",
    )


def _ratings(stack: Stack, by: By, product: str, verified: bool, json_: bool) -> None:
    if verified:
        fail("--verified picks single reviews: leave --by out, or read the column `bought`", 2)
    if product and by is By.MERCHANT:
        fail("--product names one listing, and --by merchant adds up the whole shop: leave one of them out", 2)
    rows = stack.get("/reviews/ratings", level=by.value, target=_address(stack, product) if product else "")
    if json_:
        as_json(rows)
        return
    table(
        f"Ratings by {by.value}",
        ("of", "stars", "score", "reviews", "bought", "5★", "4★", "3★", "2★", "1★", "by category"),
        (
            (
                r["target"][:16] if by is By.MERCHANT else _title(r["title"], r["target"]),
                stars(r["mean"]),
                _score(r["mean"]),
                r["reviews"],
                r["verified"],
                *reversed(r["stars"]),
                ", ".join(f"{one['category']} {_score(one['mean'])}" for one in r["categories"][:6]),
            )
            for r in rows
        ),
        "No reviews that count yet.",
    )


def stars(score: object) -> str:
    """A score of 0 to 1 as one to five stars of five, as they are counted: by fifths of the scale."""
    full = max(1, math.ceil(Decimal(str(score)) * 5))
    return "★" * full + "☆" * (5 - full)


def _score(score: object) -> str:
    """A score to two places."""
    return f"{Decimal(str(score)):.2f}"


def _title(title: str, coordinate: str) -> str:
    return title or coordinate.split(":", 2)[-1]


def _address(stack: Stack, product: str) -> str:
    """The address of the listing that a person named by it, or by its `d` alone."""
    if product.count(":") >= 2:
        return product
    rows: list[dict[str, Any]] = stack.get("/stock")
    found = sorted({row["coordinate"] for row in rows if row["coordinate"].split(":", 2)[2] == product})
    if not found:
        fail(f"no listing is named {product!r}: `ncc stock` shows their addresses", 2)
    if len(found) > 1:
        fail(f"several shops have a listing {product!r}: give its whole address, as `ncc stock` shows it", 2)
    return str(found[0])
