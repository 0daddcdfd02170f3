"""The api role, composed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from schemas.market.countries import currency_codes
from schemas.market.describing import Offer
from schemas.messages import JournalRecord
from schemas.shops import ShopSettings
from schemas.topics import partition_of
from services.api.address import Addresses
from services.api.answers import Answers
from services.api.app import Services, make_app
from services.api.ecash import EcashDoor
from services.api.hooks import Hooks
from services.api.places import Places
from services.api.service import Door, make_door
from services.api.shown_invoices import ShownInvoices
from services.approvers import Approvers
from services.metrics.client import QueryClient
from services.metrics.port import MetricsError
from services.payments.credentials import BTCPAY, LNBITS, BadCredential, BtcpayCredential, LnbitsCredential, WalletStore
from services.payments.notices import HOOKS, hook_token
from services.payments.wallets import CALLED, SIMULATED, Wallets
from services.rates.fixed import FixedRates
from services.roles.http import serve
from services.roles.stage import Stage, together
from services.vault import Vault
from streams.domain.lint import lint_offers
from streams.follower import JournalTail
from streams.merchants import MerchantTable
from streams.replay import Replay
from streams.sinks import Desk, Sinks

FROZEN = (
    "SELECT 1 FROM events FINAL WHERE merchant = {m:String} AND type IN ('MerchantFrozen', 'MerchantThawed')"
    " GROUP BY merchant HAVING argMax(type, sequence) = 'MerchantFrozen'"
)


async def run(stage: Stage) -> None:
    """The API over loopback HTTP."""
    producer = await stage.kafka.producer()
    sinks, tail, table = Sinks(producer), JournalTail(stage.kafka), MerchantTable(stage.kafka)
    queries = QueryClient(stage.settings.metrics_url, stage.home.token())
    vault = Vault(stage.home.secrets / "vault.db")
    currencies = set(FixedRates.parse(stage.settings.rates).now(0))
    if stage.settings.rate_sources:
        currencies |= currency_codes()

    token_of = partial(hook_token, stage.secret(HOOKS))
    wallets = Wallets(
        partial(_called_kind, table),
        WalletStore.of(stage.home),
        None,
        spare_kind_of=partial(_called_kind, table, is_spare=True),
        token_of=token_of,
    )
    hooks = Hooks(table.all, token_of, wallets.backend_of, sinks.put_hint, spare_of=wallets.spare_of)

    def findings(merchant: str, offers: Sequence[Offer]) -> list[dict[str, str]]:
        known = table.get(merchant)
        found = lint_offers(merchant, offers, known.settings if known else ShopSettings(), int(time.time()), currencies)
        return [{"coordinate": one.coordinate, "flaw": one.flaw.value, "detail": one.detail} for one in found]

    app = make_app(
        Services(
            token=stage.home.token(),
            desk=Desk(sinks, tail),
            queries=queries,
            merchants=table,
            put_merchant=sinks.put_merchant,
            personal=vault.of_order,
            seal=vault.seal_goods,
            replayer=Replay(stage.kafka, sinks),
            is_signer_for=lambda key: key in stage.signer.merchants(),
            letters=vault,
            signer=stage.signer,
            lint=findings,
            raw=sinks,
            called=hooks.told,
            approver_of=Approvers.of(stage.home).who,
            unpaid_why=partial(_unpaid_why, table, WalletStore.of(stage.home)),
            is_by_link=partial(_is_by_link, table),
            standing=Places(
                own_relays=stage.settings.relay_list,
                discovery_relays=stage.settings.discovery_list,
                service_url=stage.settings.service_url,
            ),
        )
    )
    serving = [serve(app, stage.settings.api_url)]
    answers = Answers(stage.home.root / "service.db") if stage.settings.service_url else None
    shown = ShownInvoices(stage.home.root / "addresses.db") if stage.settings.service_url else None
    if answers is not None and shown is not None:
        addresses = Addresses(table.all, sinks.send, _records(stage, tail), queries.rows, shown)
        records = _records(stage, tail)
        ecash = EcashDoor(lambda key: table.get(key) is not None, sinks.send, records, vault.seal_token)
        door = make_door(_door(stage, sinks, tail, table, queries, answers), addresses, hooks, ecash)
        serving.append(serve(door, stage.settings.service_url))
    stage.ready_when(lambda: tail.started.is_set() and table.ready.is_set())
    try:
        await together(tail.run(), table.run(), *serving, sinks.failure)
    finally:
        await queries.close()
        await wallets.close()
        vault.close()
        if answers is not None:
            answers.close()
        if shown is not None:
            shown.close()
        await producer.stop()


def _called_kind(table: MerchantTable, merchant: str, is_spare: bool = False) -> str | None:
    """A merchant's kind of wallet where its vendor may call; no other is opened here."""
    row = table.get(merchant)
    kind = None if row is None else row.spare_wallet if is_spare else row.wallet
    return kind if kind in CALLED else None


def _unpaid_why(table: MerchantTable, store: WalletStore, merchant: str) -> str:
    """Why nothing is paid out of a merchant's wallet; empty where it is, and where this role cannot know."""
    row = table.get(merchant)
    kind = SIMULATED if row is None else row.wallet
    if kind == SIMULATED:
        return ""
    if kind not in {LNBITS, BTCPAY}:
        return f"a {kind} wallet pays nothing out here: give it back yourself, and enter it with `ncc order refund`"
    try:
        credential = store.get(merchant)
    except BadCredential:
        return ""
    if isinstance(credential, BtcpayCredential) and not credential.may_refund:
        return "the wallet's key may not give out links to claim: `ncc wallet add` it again with --may-refund"
    has_key = not isinstance(credential, LnbitsCredential) or credential.spend_key is not None
    return "" if has_key else "the wallet has no key that may spend: `ncc wallet add` it again with --spend-key-file"


def _is_by_link(table: MerchantTable, merchant: str) -> bool:
    """Whether a merchant's wallet gives out a link instead of paying an invoice."""
    row = table.get(merchant)
    return row is not None and row.wallet == BTCPAY


def _door(
    stage: Stage, sinks: Sinks, tail: JournalTail, table: MerchantTable, queries: QueryClient, answers: Answers
) -> Door:
    """The buyers' door of this deployment."""

    async def is_frozen(merchant: str) -> bool:
        """By ClickHouse, which is a second behind; whether it is not known counts as yes."""
        try:
            return bool(await queries.rows(FROZEN, {"m": merchant}))
        except MetricsError:
            return True

    records = _records(stage, tail)
    return Door(lambda key: table.get(key) is not None, is_frozen, sinks, records, stage.signer, answers)


def _records(
    stage: Stage, tail: JournalTail
) -> Callable[[str], AbstractAsyncContextManager[AsyncIterator[JournalRecord]]]:
    """Every record of a merchant's partition from now on."""
    return lambda merchant: tail.watching(partition_of(merchant, stage.settings.partitions))
