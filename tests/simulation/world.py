"""One simulated history: every role, the broker, relays, a wallet and people, moved by a plan's actions alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from schemas import topics
from schemas.codec import decode, encode
from schemas.crash_points import Point
from schemas.freezes import ThawMerchant
from schemas.merchants import Merchant, RelayCursor
from schemas.messages import Command, CommandBody, JournalRecord
from schemas.orders import Rate
from schemas.topics import partition_of
from schemas.values import Origin
from streams.kafka import Fenced
from tests.simulation.books import Books
from tests.simulation.clock import HERE_SINCE_S, START_S, Clock, Dice
from tests.simulation.ecash import WELL, EcashSide
from tests.simulation.events import Texts, matches, received
from tests.simulation.kafka import SimConsumer, rebalance
from tests.simulation.log import Broker
from tests.simulation.loop import Killed, Loop
from tests.simulation.outside import HONEST, Relay, RelayNet
from tests.simulation.people import People
from tests.simulation.plan import Action, Config, Rail
from tests.simulation.processes import RESTARTABLE, ROLES, Process, SimStore
from tests.simulation.rules import Breach
from tests.simulation.signers import CheapCrypto, Crypto, Made, RealCrypto, digest
from tests.simulation.tables import changelogs
from tests.simulation.wallet import Wallet

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""A folder that costs no disk, where there is one."""

RAW_HEADERS = (("relay", b"wss://r9.example"), ("subscription", b"inbox:0"), ("tenants", b""))


class World:
    """The whole of one history."""

    def __init__(self, config: Config, coverage: Counter[str]) -> None:
        self.config, self.coverage = config, coverage
        self.settings = config.settings
        self.clock = Clock()
        self.dice = Dice(config.seed + 77)
        self.broker = Broker(config.partitions)
        self._journal = self.broker.topic(topics.JOURNAL.name)
        self.changelogs = changelogs(self.broker)
        self.books = Books(config.partitions, coverage, self.settings.final_wait_s)
        self.made = Made()
        self.crypto: Crypto = RealCrypto() if config.is_real else CheapCrypto()
        self.names = tuple(f"m{n}" for n in range(config.merchants))
        self.buyers = tuple(f"b{n}" for n in range(config.buyers))
        urls = tuple(f"wss://r{n}.example" for n in range(config.relays))
        self.relays = {url: Relay(url) for url in urls}
        self.home_relays, self.buyer_relays = urls[:1], tuple(reversed(urls))
        self.rows = [
            Merchant(public_key=self.crypto.key(name), name=name, relays=(), added_ms=(START_S - 86_400) * 1_000)
            for name in self.names
        ]
        self._since = dict.fromkeys((row.public_key for row in self.rows), HERE_SINCE_S)
        self.net = RelayNet(self.relays, self._stored)
        self.wallet = Wallet(self.clock, Dice(config.seed + 78), config.is_real)
        self.wallet.fails, self.wallet.loses = config.wallet_fails, config.wallet_loses
        self.wallet.lies, self.wallet.rejects = config.wallet_lies, config.wallet_rejects
        has_ecash = config.rail is Rail.ECASH
        self.ecash = EcashSide(config.seed, self.clock, self.wallet, coverage, MEMORY) if has_ecash else None
        self.store = SimStore(self)
        self._folder = TemporaryDirectory(prefix="ncc-simulated-", dir=MEMORY) if config.has_checkpoints else None
        self.checkpoints = Path(self._folder.name) if self._folder else None
        self.is_healed = False
        self.has_rates = True
        absent = {"metrics": not config.has_metrics, "ingest": not config.has_ingest}
        self.roles = tuple(role for role in ROLES if not absent.get(role))
        self.processes: dict[str, list[Process]] = {role: [] for role in self.roles}
        self._every: list[Process] = []
        self.armed: dict[str, int] = {}
        self.points: Counter[Point] = Counter()
        self.texts: list[tuple[str, str]] = []
        self.invoices: list[tuple[str, tuple[str, str, str]]] = []
        self.paid: list[tuple[str, str, str]] = []
        self._name_of = {self.crypto.key(name): name for name in (*self.names, *self.buyers)}
        self.goods: dict[str, list[str]] = {name: [] for name in self.names}
        self.placed: list[tuple[str, str, str]] = []
        self.letters: list[tuple[str, str, str]] = []
        self.said = Texts()
        self._sent = self._looks = 0

    # What the roles' stand-ins ask

    def hosted_since(self, public_key: str) -> int | None:
        """Since when a merchant is run here."""
        return self._since.get(public_key)

    def rail_of(self, name: str) -> Rail:
        """What a merchant is paid over."""
        return Rail.LIGHTNING if name == "m1" else self.config.rail

    def rates(self, now_ms: int) -> Mapping[str, Rate]:
        """The exchange rates known now: fresh, or too old."""
        as_of = self.clock.now_ms - (0 if self.has_rates else 4_000_000)
        rate = Rate(currency="USD", msat_per_unit=Decimal(1_500_000), source="drawn", as_of_ms=as_of)
        return {"USD": rate} if self.has_rates or self.config.seed % 2 else {}

    def is_lazy(self) -> bool:
        """Whether a position is not stored this time."""
        return not self.is_healed and self.dice.chance(self.config.lazy)

    def store_fault(self) -> str | None:
        """What goes wrong with an insert."""
        if self.is_healed or not self.dice.chance(self.config.store_fails):
            return None
        return self.dice.one_of(("before", "after"))

    def cursors(self) -> dict[tuple[str, str], int]:
        """How far each relay was read, as a starting ingest finds it."""
        found: dict[tuple[str, str], int] = {}
        for entry in self.broker.all(topics.CURSORS.name):
            cursor = entry.value if isinstance(entry.value, RelayCursor) else decode(RelayCursor, entry.value)
            found[cursor.relay, cursor.cursor_key] = cursor.complete_s
        return found

    def matches(self, event_id: str, text: str, wanted: Mapping[str, Any]) -> bool:
        """Whether a relay gives this event for a filter; our own messages come back only where the history has that."""
        if event_id in self.made.by_event and not self.config.own_copies:
            return False
        return matches(self.said.meta(text), wanted)

    def is_own_listing(self, text: str) -> bool:
        """Whether a text is a listing that the coordinator itself published: its echo is no news."""
        return self.said.meta(text)[0] in (30402, 10050, 10002)

    def _stored(self, event_id: str) -> None:
        """A relay has one of our messages: whom it is for can read it now."""
        known = self.made.by_event.get(event_id)
        if known is None:
            return
        _, recipient, rumor = known
        if recipient != rumor.pubkey:
            order = next((tag[1] for tag in rumor.tags if tag[0] == "order"), "")
            place = (self._name_of[rumor.pubkey], self._name_of[recipient], order)
            self.invoices.extend((t[2], place) for t in rumor.tags if t[0] == "payment" and "@" not in t[2])

    # Running

    def check(self) -> None:
        """Enter what was committed since, and look at what was said and paid."""
        books = self.books
        for number, log in enumerate(self._journal):
            if books.at[number] < len(log.entries) and books.at[number] < log.end(True):
                entries, books.at[number] = log.read(books.at[number], 1_000_000, True)
                for entry in entries:
                    value = entry.value
                    if isinstance(value, JournalRecord):
                        books.enter(number, value, encode(value), entry.timestamp)
                    else:
                        books.enter(number, decode(JournalRecord, value), value, entry.timestamp)
        if self.made.faults or self.wallet.faults:
            raise Breach((*self.made.faults, *self.wallet.faults)[0])

    def at_point(self, point: Point) -> None:
        loop = asyncio._get_running_loop()
        if not isinstance(loop, Loop) or loop.dead:
            return
        self.points[point] += 1
        left = self.armed.get(loop.role) if self.armed else None
        if left is not None:
            if left > 0:
                self.armed[loop.role] = left - 1
                return
            del self.armed[loop.role]
            self.coverage[f"killed at {point.value}"] += 1
            loop.dead = True
            raise Killed

    def turn(self, role: str, place: int, limit: int) -> None:
        """Let one process of a role run; one is started where there is none."""
        running = self.processes[role]
        for process in running:
            if not process.asleep:
                break
        else:
            self.start(role)
            return
        process = running[place % len(running)]
        if process.asleep:
            process.asleep -= 1
            if process.asleep > 1:
                return
            if process.asleep == 0:
                self._rejoin(process)
                return
        if not process.asleep and process.is_idle() and (process.decider is None or self._looks_later()):
            return
        process.wire.holds_sends = not self.is_healed and self.dice.chance(self.config.holds_sends)
        self.clock.skew_ms = process.skew_ms
        process.turn(limit)
        self.clock.skew_ms = 0
        self._after(process)

    def _looks_later(self) -> bool:
        """Whether a decider without new commands is left alone this time; now and then it looks at its agenda."""
        self._looks += 1
        return not self.is_healed and self._looks % 4 != 0

    def _after(self, process: Process) -> None:
        if process.loop.dead:
            self.bury(process)
            return
        error = process.broken()
        if error is None:
            return
        if not isinstance(error, (*RESTARTABLE, Fenced)):
            raise Breach(f"the {process.role} ended with {type(error).__name__}: {error}") from error
        self.coverage[f"restart {process.role}"] += 1
        self.bury(process)

    def start(self, role: str) -> None:
        process = Process(self, role, self._sent)
        self._every.append(process)
        process.loop.role = role
        process.wire.holds_sends = False
        process.start()
        self.processes[role].append(process)
        self._after(process)
        for consumer in process.group_members:
            self._join(consumer)

    def _join(self, consumer: SimConsumer) -> None:
        assert consumer.group is not None
        consumer.group.members.append(consumer)
        self.deal(consumer)

    def deal(self, consumer: SimConsumer) -> None:
        assert consumer.group is not None
        rebalance(consumer.group)
        for processes in self.processes.values():
            for process in list(processes):
                if process.loop.dead:
                    self.bury(process)

    def _rejoin(self, process: Process) -> None:
        """A process that was away learns what became of its partitions, and takes part again."""
        for consumer in process.group_members:
            if consumer.group is not None and consumer not in consumer.group.members:
                self._join(consumer)

    def bury(self, process: Process) -> None:
        """End a process for good; some of what it had queued still gets out, in order."""
        if process not in self.processes[process.role]:
            return
        self.processes[process.role].remove(process)
        process.loop.dead = True
        for producer in process.wire.producers:
            producer.release(self.dice)
        left: list[SimConsumer] = []
        for consumer in process.group_members:
            if consumer.group is not None and consumer in consumer.group.members:
                consumer.group.members.remove(consumer)
                left.append(consumer)
        process.loop.discard()
        for consumer in left:
            if consumer.group is not None and consumer.group.members:
                self.deal(consumer)

    # Saying

    def people(self, dice: Dice) -> People:
        """Everybody, now."""
        return People(self.crypto, self.names, self.clock.now_ms // 1_000, dice)

    def say(self, text: str, dice: Dice) -> None:
        """Publish a text on some relays."""
        event_id = self.said.id_of(text)
        self.texts.append((event_id, text))
        if text.startswith('{"id"') and dice.chance(3):  # a copy that anybody may have changed comes first
            self.put_raw(event_id, text[:-4] + '00"}')
        if not self.config.has_ingest:
            for _ in range(2 if dice.chance(20) else 1):
                self.put_raw(event_id, text)
            return
        relays = list(self.relays.values())
        first = dice.below(len(relays))
        relays[first].store(event_id, text)
        for relay in relays:
            if dice.chance(30):
                relay.store(event_id, text)

    def put_raw(self, event_id: str, text: str) -> None:
        """A sighting straight into the raw topic, as an ingest that is not part of this history puts it there."""
        key = event_id if len(event_id) == 64 else digest(text)
        log = self.broker.log(topics.RAW.name, partition_of(key, self.broker.partitions))
        log.append(self.clock.now_ms, key.encode(), text.encode(), [*RAW_HEADERS, received(self.clock.now_ms)])

    def command(self, merchant: str, body: CommandBody, origin: Origin = Origin.OPERATOR) -> None:
        """What the API puts into the command topic."""
        self._sent += 1
        command = Command(
            id=digest("command", self.config.seed, self._sent)[:32],
            merchant=merchant,
            at_ms=self.clock.now_ms,
            origin=origin,
            source=digest("source", self._sent),
            body=body,
        )
        self.put_command(merchant, encode(command) if self.config.as_bytes else command)

    def put_command(self, merchant: str, value: Any) -> None:
        """Bytes, or a value, straight into the command topic."""
        log = self.broker.log(topics.COMMANDS.name, partition_of(merchant, self.broker.partitions))
        log.append(self.clock.now_ms, merchant.encode(), value)

    def offer(self, name: str, good: str, stock: int | None, dice: Dice, visibility: str = "on-sale") -> None:
        """A merchant publishes a version of a listing."""
        if good not in self.goods[name]:
            self.goods[name].append(good)
        self.say(self.people(dice).listing(name, good, stock, visibility), dice)

    def some_order(self, action: Action, dice: Dice) -> tuple[str, str, str]:
        """An order that was paid or at least placed, mostly; (merchant, buyer, order id)."""
        if self.paid and dice.chance(70):
            return self.paid[-1 - action.a % min(len(self.paid), 3)]
        if self.placed and dice.chance(94):
            return self.placed[-1 - action.a % min(len(self.placed), 6)]
        return self.names[action.a % len(self.names)], self.buyers[action.b % len(self.buyers)], f"o{dice.below(6)}"

    # Ending

    def heal(self) -> None:
        """No fault from now on."""
        self.is_healed, self.has_rates = True, True
        self.armed.clear()
        self.wallet.heal()
        if self.ecash is not None:
            self.ecash.mood = WELL
        if self.coverage["freeze"]:
            for name in self.names:
                self.thaw(name)
        for relay in self.relays.values():
            relay.character = HONEST
        for processes in self.processes.values():
            for process in list(processes):
                process.skew_ms, process.wire.fail_next = 0, None
                if process.asleep:
                    process.asleep = 0
                    self._rejoin(process)
                    self._after(process)
                process.wire.holds_sends = False

    def close(self) -> None:
        """End every process that is left, count what was passed, and leave no work for the garbage collector."""
        for point, count in self.points.items():
            self.coverage[f"point {point.value}"] += count
        for processes in self.processes.values():
            for process in processes:
                process.loop.discard()
        if self._folder is not None:
            self._folder.cleanup()
        if self.ecash is not None:
            self.ecash.close()
        for process in self._every:
            process.forget()
        for group in self.broker.groups.values():
            group.members.clear()
        vars(self).clear()

    def thaw(self, name: str) -> None:
        """The operator looked, and a merchant's effects may go out again; says nothing where they may already."""
        self._sent += 1
        cause = digest("thaw", self._sent)[:32]
        self.command(self.crypto.key(name), ThawMerchant(reason="drawn", cause=cause))

    def settle(self, rounds_max: int = 60) -> None:
        """Let everybody run until nobody has anything to do. Raises `Breach` where that never comes."""
        for _ in range(rounds_max):
            is_quiet = True
            for role in self.roles:
                if not self.processes[role]:
                    self.start(role)
                    is_quiet = False
                for place, process in enumerate(list(self.processes[role])):
                    if role == "decider" or not process.is_idle():
                        is_quiet = is_quiet and process.is_idle()
                        self.turn(role, place, 1_000)
            self.check()
            self.clock.advance(110)
            if is_quiet:
                return
        raise Breach("I14: the roles do not come to rest")
