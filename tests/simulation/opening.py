"""The beginning of a history: shops open, and their first listings are there."""

from __future__ import annotations

from schemas.shops import OpenShop
from tests.simulation.clock import Dice
from tests.simulation.people import GOODS
from tests.simulation.plan import Rail
from tests.simulation.world import World


def open_shops(world: World) -> None:
    """Every shop with its goods, and the roles that take that in."""
    dice = Dice(world.config.seed + 5)
    people = world.people(dice)
    for name, row in zip(world.names, world.rows, strict=True):
        if dice.chance(40) or world.settings.lightning_address or world.config.rail is Rail.CHAIN:
            world.command(row.public_key, OpenShop(settings=world.settings))
        world.offer(name, "tea", dice.one_of((2, 3, 6, 50)), dice)
        if dice.chance(25):
            world.offer(name, dice.one_of(GOODS), dice.one_of((1, 4, None)), dice)
        if dice.chance(25):
            world.offer(name, "vase", 5, dice)
            world.say(people.option(name, ("DE",)), dice)
    for role in world.roles[: world.roles.index("decider") + 1]:
        world.turn(role, 0, 50)
        world.turn(role, 0, 50)
