"""Random shops as merchants, carriers and strangers publish them, and carts of what is there and what is not."""

from __future__ import annotations

from random import Random

from tests.support.builders import CARRIER, MERCHANT, OTHER_MERCHANT, STRANGER, Tag
from tests.support.reference_prices import Cart, Published

CURRENCIES = ("EUR", "EUR", "USD", "SATS", "BTC", "KWD", "XYZ")
COUNTRIES = ("DE", "US", "CH")
CELLS = ("u33dc", "u3372", "u09tv", "9q8yy", "dr5ru")
OPTIONS = tuple(f"30406:{author}:o{n}" for n, author in enumerate((MERCHANT, MERCHANT, MERCHANT, CARRIER)))
COLLECTIONS = (f"30405:{MERCHANT}:k0", f"30405:{STRANGER}:k1")
LISTINGS = tuple(f"30402:{MERCHANT}:p{n}" for n in range(6))


def amount(dice: Random, currency: str = "EUR") -> str:
    """A price somebody would ask, some to four places; bitcoin's are small."""
    if currency == "BTC":
        return f"0.000{dice.randrange(10_000):04}"
    return dice.choice(("0", f"{dice.randrange(1, 60)}", f"{dice.randrange(60)}.{dice.randrange(100):02}", "7.3333"))


def priced(dice: Random, name: str = "price") -> Tag:
    """A price tag."""
    currency = dice.choice(CURRENCIES[:-1] if dice.random() < 0.97 else CURRENCIES)
    return (name, amount(dice, currency), currency)


def maybe[T](dice: Random, chance: float, *tags: T) -> tuple[T, ...]:
    """These tags, or none."""
    return tags if dice.random() < chance else ()


def size(dice: Random, name: str, most: int) -> Tag:
    """Three sides, in one value or in three."""
    numbers = tuple(str(dice.randrange(1, most)) for _ in range(3))
    unit = dice.choice(("cm", "cm", "mm", "in"))
    return (name, "x".join(numbers), unit) if dice.random() < 0.8 else (name, *numbers, unit)


def rate(dice: Random, name: str, *units: str) -> Tag:
    """A price a unit, with its own currency or without."""
    own = maybe(dice, 0.4, (dice.choice(CURRENCIES[:5]),))
    return (name, amount(dice), *(own[0] if own else ()), dice.choice(units))


def option(dice: Random, address: str) -> Published:
    """A way to send things, with some of the rules there are."""
    _, author, d = address.split(":")
    served = dice.sample((*COUNTRIES, "DEU"), dice.randrange(1, 4))
    service = dice.choice(("standard", "standard", "express", "pickup", "digital"))
    tags = (
        ("d", d),
        (dice.choice(("title", "title", "name")), d.upper()),
        priced(dice),
        *maybe(dice, 0.7, dice.choice((("country", *served), ("zone", served[0])))),
        *maybe(dice, 0.2, ("region", "US-FL", "US-NY")),
        ("service", service),
        *maybe(dice, 0.7 if service == "pickup" else 0.2, ("location", "Main St 1")),
        *maybe(dice, 0.4, ("g", dice.choice(CELLS))),
        *maybe(dice, 0.15, ("weight-min", str(dice.randrange(500)), "g")),
        *maybe(dice, 0.3, ("weight-max", str(dice.randrange(1, 9)), dice.choice(("kg", "lb")))),
        *maybe(dice, 0.1, size(dice, "dim-min", 3)),
        *maybe(dice, 0.2, size(dice, "dim-max", 90)),
        *maybe(dice, 0.3, rate(dice, "price-weight", "kg", "g", "lb", "oz")),
        *maybe(dice, 0.2, rate(dice, "price-volume", "l", "cm", "in", "ft")),
        *maybe(dice, 0.2, rate(dice, "price-distance", "km", "mi")),
    )
    return Published(30406, author, tags)


def collection(dice: Random, address: str) -> Published:
    """A list with options, and a place perhaps."""
    _, author, d = address.split(":")
    options = dice.sample(OPTIONS, dice.randrange(0, 3))
    tags = (
        ("d", d),
        ("title", d),
        ("a", dice.choice(LISTINGS)),
        *(("shipping_option", one) for one in options),
        *maybe(dice, 0.6, ("g", dice.choice(CELLS))),
    )
    return Published(30405, author, tags)


def listing(dice: Random, address: str) -> Published:
    """A product of any type; things mostly point at an option or two."""
    _, author, d = address.split(":")
    structure = dice.choice((*["simple"] * 7, "variable", "variable", "variation"))
    format_ = dice.choice(("physical", "physical", "digital", ""))
    pointed: list[Tag] = []
    for target in (*dice.sample((*OPTIONS, *COLLECTIONS, "o0"), dice.randrange(1, 4)), *maybe(dice, 0.7, OPTIONS[0])):
        name = "shipping" if ":" not in target else "shipping_option"
        extra = maybe(dice, 0.5, (amount(dice),))
        pointed.append((name, target, *(extra[0] if extra else ())))
    tags = (
        ("d", d),
        ("title", d.upper()),
        priced(dice),
        ("type", structure, *((format_,) if format_ else ())),
        *maybe(dice, 0.1, ("visibility", dice.choice(("hidden", "pre-order", "on-sale")))),
        *maybe(dice, 0.03, ("status", "sold")),
        *maybe(dice, 0.3, ("stock", str(dice.randrange(9)))),
        *maybe(dice, 0.7, ("weight", f"{dice.randrange(1, 900)}.5", dice.choice(("g", "g", "oz")))),
        *maybe(dice, 0.7, size(dice, "dim", 60)),
        *maybe(dice, 0.1, ("volume", "1.5", "l")),
        *maybe(dice, 0.6, ("g", dice.choice((*CELLS, COLLECTIONS[0])))),
        *((("a", dice.choice([one for one in LISTINGS if one != address])),) if structure == "variation" else ()),
        *maybe(dice, 0.2, ("a", COLLECTIONS[1])),
        *(pointed if format_ != "digital" else ()),
    )
    return Published(30402, author, tags)


def shop(dice: Random) -> list[Published]:
    """Everything that is there; now and then something is missing."""
    made = [option(dice, one) for one in OPTIONS] + [collection(dice, one) for one in COLLECTIONS]
    made += [listing(dice, one) for one in LISTINGS]
    return [event for event in made if dice.random() < 0.97]


def cart(dice: Random, coupons: tuple[str, ...]) -> Cart:
    """What somebody wants; mostly of the shop, mostly with an address."""
    wanted = [dice.choice(LISTINGS) for _ in range(dice.choice((1, 1, 1, 2, 2, 3)))]
    if dice.random() < 0.03:
        wanted.append(f"30402:{dice.choice((MERCHANT, OTHER_MERCHANT))}:none")
    country = dice.choice((*COUNTRIES, *COUNTRIES, None))
    return Cart(
        lines=tuple((address, dice.choice((1, 1, 2, 3, 7))) for address in wanted),
        shipping=dice.choice((None, *OPTIONS, *OPTIONS[:1] * 4)),
        country=country,
        region=dice.choice((None, "US-FL", "US-CA")) if country == "US" else None,
        geohash=dice.choice((None, *CELLS)),
        coupon=dice.choice((None, None, *coupons, "nothing")),
    )
