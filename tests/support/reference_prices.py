"""What an order costs, reckoned a second time from the market spec and the requirements alone, in fractions.

It reads tags as they are published and shares nothing with the product: neither its readers, nor its units,
nor its arithmetic, nor its geometry. It is slow, plain, and knows only what the generator of shops writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

Tags = tuple[tuple[str, ...], ...]

RANK = (
    *("wrong_merchant", "unknown_item", "not_for_sale", "choose_variation", "orphan_variation"),
    *("bad_quantity", "insufficient_stock"),
)
MASS = {"g": 1, "kg": 1000, "oz": Fraction(28349523125, 10**9), "lb": Fraction(45359237, 10**5)}
LENGTH = {"mm": Fraction(1, 10), "cm": 1, "m": 100, "in": Fraction(254, 100), "ft": Fraction(3048, 100)}
VOLUME = {**{unit: Fraction(side) ** 3 for unit, side in LENGTH.items()}, "l": 1000, "ml": 1}
WAY = {"m": 1, "km": 1000, "mi": Fraction(1609344, 1000), "ft": Fraction(3048, 10000)}
MSAT = {"MSAT": 1, "SAT": 1000, "SATS": 1000, "BTC": 10**11}
ALPHA3 = {"DEU": "DE", "USA": "US", "CHE": "CH"}


@dataclass(frozen=True)
class Published:
    """One event of a shop, as far as it matters here."""

    kind: int
    author: str
    tags: Tags

    @property
    def address(self) -> str:
        """Where it is found."""
        return f"{self.kind}:{self.author}:{self.one('d')[0]}"

    def one(self, *names: str) -> tuple[str, ...]:
        """The values of the first tag of the first of these names that is there."""
        for name in names:
            for tag in self.tags:
                if tag[0] == name:
                    return tag[1:]
        return ()

    def every(self, *names: str) -> list[tuple[str, ...]]:
        """The values of each tag of these names."""
        return [tag[1:] for tag in self.tags if tag[0] in names]


@dataclass(frozen=True)
class Rules:
    """What the merchant set."""

    extra: str = "per_unit"
    default_g: Fraction | None = None
    order_min: tuple[Fraction, str] | None = None
    free_from: tuple[Fraction, str] | None = None
    taxes: tuple[dict[str, object], ...] = ()
    coupons: Mapping[str, tuple[Fraction, tuple[Fraction, str] | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cart:
    """What the buyer wants."""

    lines: tuple[tuple[str, int], ...]
    shipping: str | None = None
    country: str | None = None
    region: str | None = None
    geohash: str | None = None
    coupon: str | None = None


class Answer(Exception):
    """An order that gets no price: every code that may be the reason, for one of which it is."""

    def __init__(self, *codes: str) -> None:
        super().__init__(*codes)
        self.codes = set(codes)


class Reference:
    """One merchant's shop."""

    def __init__(
        self, merchant: str, events: Iterable[Published], rules: Rules, msat_per_unit: Mapping[str, Fraction]
    ) -> None:
        self.merchant = merchant
        self.at = {event.address: event for event in events}
        self.rules = rules
        self.rate = {**{unit: Fraction(msat) for unit, msat in MSAT.items()}, **msat_per_unit}

    def price(self, cart: Cart) -> tuple[int, str | None]:
        """Whole sats and the option; raises `Answer` where there is no price."""
        lines = self.lines(cart)
        goods = [(product, count) for product, count in lines if self.is_physical(product)]
        option = self.choose(goods, cart) if goods else None
        worth = [(amount(product) * count, product.one("price")[1]) for product, count in lines]
        if self.rules.order_min and not self.reaches(worth, self.rules.order_min):
            raise Answer("below_minimum")
        freight: list[tuple[Fraction, str]] = []
        if option is not None:
            freight = self.freight(option, goods, cart)
            if self.rules.free_from and self.reaches(worth, self.rules.free_from):
                freight = []
        off, voucher = self.rules.coupons.get((cart.coupon or "").lower(), (Fraction(), None))
        worth = [(sum_ * (1 - off), currency) for sum_, currency in worth]
        taxed = [
            (sum_ * self.tax(self.is_physical(product), cart), currency)
            for (sum_, currency), (product, _) in zip(worth, lines, strict=True)
        ]
        total = [*worth, *taxed, *freight, *((sum_ * self.tax(True, cart, True), c) for sum_, c in freight)]
        if voucher is not None:
            enough = self.reaches([*worth, *taxed], voucher)
            total += [(-voucher[0], voucher[1])] if enough else [(-sum_, c) for sum_, c in (*worth, *taxed)]
        msat = sum((sum_ * self.msat(currency) for sum_, currency in total), Fraction())
        return math.ceil(msat / 1000), option.address if option else None

    # Lines

    def lines(self, cart: Cart) -> list[tuple[Published, int]]:
        """The listings wanted, repeats summed."""
        wanted: dict[str, int] = {}
        for address, count in cart.lines:
            wanted[address] = wanted.get(address, 0) + count
        faults = {code for address, count in wanted.items() if (code := self.fault(address, count))}
        if faults:
            raise Answer(min(faults, key=RANK.index))
        return [(self.at[address], count) for address, count in wanted.items()]

    def fault(self, address: str, count: int) -> str | None:
        """What is wrong with one line."""
        product = self.at.get(address)
        if address.split(":")[1] != self.merchant:
            return "wrong_merchant"
        if product is None:
            return "unknown_item"
        if not self.sells(product):
            return "not_for_sale"
        kind = (product.one("type") or ("simple",))[0]
        if kind == "variable":
            family = [
                other
                for other in self.at.values()
                if other.kind == 30402 and "variation" in other.one("type") and (address,) in other.every("a")
            ]
            if family:
                return "choose_variation" if any(map(self.sells, family)) else "not_for_sale"
        if kind == "variation":
            parent = self.at.get(product.one("a")[0])
            if parent is None or not self.sells(parent) or "variable" not in parent.one("type"):
                return "orphan_variation"
        stock = product.one("stock")
        short = bool(stock) and int(stock[0]) < count
        return "insufficient_stock" if short and product.one("visibility") != ("pre-order",) else None

    def sells(self, product: Published) -> bool:
        """Neither hidden nor sold."""
        return product.one("visibility") != ("hidden",) and product.one("status") != ("sold",)

    def is_physical(self, product: Published) -> bool:
        """By its type, or by what only a thing can have."""
        said = product.one("type")
        if len(said) > 1:
            return said[1] == "physical"
        return bool(product.one("weight") or product.one("dim") or product.one("shipping_option", "shipping"))

    # Shipping

    def offers(self, product: Published) -> dict[str, Fraction]:
        """Direct options and those of collections pointed at, merged."""
        direct: dict[str, Fraction] = {}
        through: dict[str, Fraction] = {}
        for reference in product.every("shipping_option", "shipping"):
            address = reference[0] if ":" in reference[0] else f"30406:{product.author}:{reference[0]}"
            extra = Fraction(reference[1]) if len(reference) > 1 else Fraction()
            if address.startswith("30406"):
                direct.setdefault(address, extra)
            elif address in self.at:
                for option, *_ in self.at[address].every("shipping_option"):
                    through[option] = max(extra, through.get(option, extra))
        return {**through, **direct}

    def choose(self, goods: list[tuple[Published, int]], cart: Cart) -> Published:
        """The wished option, or the only one that serves."""
        if cart.shipping is not None:
            return self.check(cart.shipping, goods, cart)
        candidates = list(self.offers(goods[0][0]))
        candidates += [
            reference[0]
            for reference in goods[0][0].every("shipping_option", "shipping")
            if reference[0].startswith("30405") and reference[0] not in self.at
        ]
        fine: list[Published] = []
        answers: list[Answer] = []
        for address in candidates:
            try:
                fine.append(self.check(address, goods, cart))
            except Answer as answer:
                answers.append(answer)
        waits = {code for answer in answers for code in answer.codes if code in ("address", "needs_pricing")}
        if "address" in waits:
            raise Answer("address")
        if not fine:
            rest = {code for answer in answers for code in answer.codes}
            raise Answer(*(waits or rest or {"shipping_choice"}))
        if len(fine) == 1:
            return fine[0]
        priceable = []
        for option in fine:
            try:
                self.freight(option, goods, cart)
                priceable.append(option)
            except Answer as answer:
                if "no_rate" in answer.codes:
                    raise
        if len(priceable) > 1:
            raise Answer("shipping_choice")
        return priceable[0] if priceable else fine[0]

    def check(self, address: str, goods: list[tuple[Published, int]], cart: Cart) -> Published:
        """One option against lines, place, weight and size."""
        option = self.at.get(address)
        if option is None or option.kind != 30406:
            raise Answer("unknown_shipping")
        if any(address not in self.offers(product) for product, _ in goods):
            raise Answer("option_not_for_all")
        if option.one("service") == ("pickup",):
            if not option.one("location") and not option.one("g"):
                raise Answer("unknown_shipping")
        else:
            self.check_place(option, cart)
        least, most = option.one("weight-min"), option.one("weight-max")
        if least or most:
            weight = self.mass(goods)
            if most and weight > Fraction(most[0]) * MASS[most[1]]:
                raise Answer("weight_over_max")
            if least and weight < Fraction(least[0]) * MASS[least[1]]:
                raise Answer("weight_under_min")
        small, large = box(option.one("dim-min")), box(option.one("dim-max"))
        if small or large:
            sizes = [box(product.one("dim")) for product, _ in goods]
            if not all(sizes):
                raise Answer("needs_pricing")
            if large and any(any(a > b for a, b in zip(size or (), large, strict=True)) for size in sizes):
                raise Answer("size_over_max")
            if small and any(any(a < b for a, b in zip(size or (), small, strict=True)) for size in sizes):
                raise Answer("size_under_min")
        return option

    def check_place(self, option: Published, cart: Cart) -> None:
        """Countries, and regions of the country it goes to."""
        served = {ALPHA3.get(code, code) for codes in option.every("country", "zone") for code in codes}
        if cart.country is None and (served or option.one("service") != ("digital",)):
            raise Answer("address")
        if served and cart.country not in served:
            raise Answer("country_not_served")
        regions = [r for codes in option.every("region") for r in codes if r.startswith(f"{cart.country}-")]
        if regions and cart.region is None:
            raise Answer("address")
        if regions and cart.region not in regions:
            raise Answer("country_not_served")

    def mass(self, goods: list[tuple[Published, int]]) -> Fraction:
        """Grams of all."""
        total = Fraction()
        for product, count in goods:
            said = product.one("weight")
            one = Fraction(said[0]) * MASS[said[1]] if said else self.rules.default_g
            if one is None:
                raise Answer("needs_pricing")
            total += one * count
        return total

    def freight(self, option: Published, goods: list[tuple[Published, int]], cart: Cart) -> list[tuple[Fraction, str]]:
        """base + extras + by weight + by volume + by distance."""
        own = option.one("price")[1]
        terms = [(amount(option), own)]
        extras = [
            (extra * (count if self.rules.extra == "per_unit" else 1), product.one("price")[1])
            for product, count in goods
            if (extra := self.offers(product)[option.address])
        ]
        if self.rules.extra == "max_once" and len({currency for _, currency in extras}) > 1:
            extras = [max(extras, key=lambda term: term[0] * self.msat(term[1]))]
        elif self.rules.extra == "max_once" and extras:
            extras = [max(extras)]
        terms += extras
        if rule := option.one("price-weight"):
            terms.append(per(rule, own, self.mass(goods), MASS))
        if rule := option.one("price-volume"):
            volume = Fraction()
            for product, count in goods:
                size, said = box(product.one("dim")), product.one("volume")
                if not size and not said:
                    raise Answer("needs_pricing")
                one = Fraction(said[0]) * VOLUME[said[1]] if said else math.prod(size or ())
                volume += one * count
            terms.append(per(rule, own, volume, VOLUME))
        if rule := option.one("price-distance"):
            terms.append(per(rule, own, self.way(option, goods, cart), WAY))
        return terms

    def way(self, option: Published, goods: list[tuple[Published, int]], cart: Cart) -> Fraction:
        """Whole metres from the option's place, else from the farthest good's."""
        starts = [option.one("g")] if option.one("g") else [self.where(product) for product, _ in goods]
        if cart.geohash is None or not all(starts):
            raise Answer("needs_pricing")
        return Fraction(max(metres(start[0], cart.geohash) for start in starts))

    def where(self, product: Published) -> tuple[str, ...]:
        """Its own geohash, or the one of the collection it names instead."""
        said = product.one("g")
        if said and said[0].startswith("30405:"):
            return self.at[said[0]].one("g") if said[0] in self.at else ()
        return said

    # Rules and money

    def tax(self, physical: bool, cart: Cart, shipping: bool = False) -> Fraction:
        """The part that is added, by the first rule that fits."""
        for rule in self.rules.taxes:
            if rule["countries"] and cart.country not in rule["countries"]:  # type: ignore[operator]
                continue
            if rule["format"] not in (None, "physical" if physical else "digital"):
                continue
            if shipping and not rule["on_shipping"]:
                continue
            return Fraction() if rule["is_included"] else Fraction(str(rule["percent"])) / 100
        return Fraction()

    def msat(self, currency: str) -> Fraction:
        """What one unit costs."""
        if currency not in self.rate:
            raise Answer("no_rate")
        return self.rate[currency]

    def reaches(self, terms: list[tuple[Fraction, str]], least: tuple[Fraction, str]) -> bool:
        """Whether they come to that much."""
        if all(currency == least[1] for _, currency in terms):
            return sum(sum_ for sum_, _ in terms) >= least[0]
        have = sum((sum_ * self.msat(currency) for sum_, currency in terms), Fraction())
        return have >= least[0] * self.msat(least[1])


def amount(event: Published) -> Fraction:
    """A listed price."""
    return Fraction(event.one("price")[0])


def per(
    rule: tuple[str, ...], own: str, measure: Fraction, table: Mapping[str, Fraction | int]
) -> tuple[Fraction, str]:
    """A price a unit, of two values or three."""
    price, *currency, unit = rule
    return Fraction(price) * measure / table[unit], currency[0] if currency else own


def box(said: tuple[str, ...]) -> tuple[Fraction, ...] | None:
    """Three sides in centimetres, sorted."""
    if not said:
        return None
    numbers = said[0].split("x") if len(said) == 2 else said[:3]
    return tuple(sorted(Fraction(number) * LENGTH[said[-1]] for number in numbers))


def metres(one: str, other: str) -> int:
    """Along the great circle, by the angle between two vectors."""
    (x1, y1, z1), (x2, y2, z2) = vector(one), vector(other)
    cross = math.hypot(y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2)
    return round(6_371_008.8 * math.atan2(cross, x1 * x2 + y1 * y2 + z1 * z2))


def vector(cell: str) -> tuple[float, float, float]:
    """The middle of a geohash's cell as a point on the unit sphere, found by halving."""
    bounds = [[-90.0, 90.0], [-180.0, 180.0]]
    bits = "".join(f"{'0123456789bcdefghjkmnpqrstuvwxyz'.index(letter):05b}" for letter in cell)
    for position, bit in enumerate(bits):
        low, high = bounds[1 - position % 2]
        bounds[1 - position % 2] = [(low + high) / 2, high] if bit == "1" else [low, (low + high) / 2]
    latitude, longitude = (math.radians(sum(pair) / 2) for pair in bounds)
    return (
        math.cos(latitude) * math.cos(longitude),
        math.cos(latitude) * math.sin(longitude),
        math.sin(latitude),
    )
