"""The shop's lightning address: who gets an invoice over it, and what came for the invoices it gave out.

An order's own address leads to the order's one payment request, so it makes no money of its own (PAY-17).
"""

from __future__ import annotations

from schemas import limits
from schemas.addresses import (
    AddressPaid,
    AddressRefusal,
    AddressReversed,
    AskInvoice,
    AskRequest,
    InvoiceMade,
    InvoiceRefused,
    InvoiceWanted,
    ObserveInvoice,
    RecordInvoice,
    RecordInvoiceFailure,
    RequestShown,
)
from schemas.catalogue import Template
from schemas.lnurl_served import description_hash as hash_of
from schemas.lnurl_served import metadata, order_address, order_description_hash, shop_memo
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import event_id
from schemas.nostr.nip57 import receipt_tags
from schemas.orders import OrderStatus
from schemas.payments import BackendState
from schemas.publishing import PublicationPromised
from schemas.values import MSAT_PER_SAT, OrderKey
from streams.domain.decision import Decision
from streams.domain.shop import Asked, Order, Shop


def description_hash(shop: Shop, order: OrderKey) -> str | None:
    """What an order's payment request commits to; None where the shop has no address that is served here."""
    address = shop.settings.lightning_address
    return order_description_hash(address, order.ref) if address else None


def of_order(shop: Shop, order: OrderKey) -> str | None:
    """An order's own lightning address; None where the shop has none that is served here."""
    address = shop.settings.lightning_address
    return order_address(address, order.ref) if address else None


def ask(decision: Decision, command: AskInvoice) -> None:
    """A call to the shop's address: an invoice is wanted, or the caller reads why there is none. Each call once.

    Amounts are whole sats, since some wallets make no invoice for anything else.
    """
    shop = decision.shop
    if command.intent_id in shop.asked or command.intent_id in shop.calls:
        return
    address, now_s = shop.settings.lightning_address, decision.at_ms // 1_000
    open_ = sum(1 for one in shop.asked.values() if not one.paid_msat and one.expires_at > now_s)
    most_msat = shop.settings.order_sats_max * MSAT_PER_SAT
    said = command.zap or metadata(address, shop_memo(address))
    reason = _closed(shop)
    if reason is None and (address != command.address or hash_of(said) != command.description_hash):
        reason = AddressRefusal.NOT_SERVED
    elif reason is None and (command.amount_msat % MSAT_PER_SAT or not 0 < command.amount_msat <= most_msat):
        reason = AddressRefusal.BAD_AMOUNT
    elif reason is None and open_ >= limits.ADDRESS_INVOICES.most:
        reason = AddressRefusal.TOO_MANY_OPEN
    if reason is not None:
        decision.emit(InvoiceRefused(intent_id=command.intent_id, reason=reason))
        return
    decision.emit(
        InvoiceWanted(
            intent_id=command.intent_id,
            amount_msat=command.amount_msat,
            expires_at=command.expires_at,
            memo=shop_memo(address),
            description_hash=command.description_hash,
            zap=command.zap,
        )
    )


def ask_request(decision: Decision, command: AskRequest) -> None:
    """A call to an order's own address: it is led to the order's request while that can be paid, for what is due."""
    shop = decision.shop
    if command.call_id in shop.calls:
        return
    order = shop.orders.get(command.order_ref)
    reason = _closed(shop) or _unpayable(decision, order)
    if reason is None and order is not None and command.amount_msat != order.asked_msat:
        reason = AddressRefusal.BAD_AMOUNT
    if reason is not None or order is None:
        reason = reason or AddressRefusal.NOT_PAYABLE
        decision.emit(InvoiceRefused(intent_id=command.call_id, reason=reason))
        return
    assert order.intent_id is not None, "a request that is shown has its intent"
    assert order.request_text is not None, "it was looked at before"
    decision.emit(
        RequestShown(
            call_id=command.call_id,
            order=order.key,
            intent_id=order.intent_id,
            text=order.request_text,
            amount_msat=command.amount_msat,
            expires_at=_ends_at(order),
        )
    )


def _closed(shop: Shop) -> AddressRefusal | None:
    if not shop.is_open or not shop.settings.lightning_address:
        return AddressRefusal.SHOP_CLOSED if not shop.is_open else AddressRefusal.NOT_SERVED
    return AddressRefusal.SHOP_FROZEN if shop.is_frozen else None


def _unpayable(decision: Decision, order: Order | None) -> AddressRefusal | None:
    """Why nobody is led to an order's request: it is paid or dead, has none yet, or its time is over."""
    if order is None or order.status is not OrderStatus.PENDING or order.request_text is None:
        return AddressRefusal.NOT_PAYABLE
    return None if decision.at_ms // 1_000 < _ends_at(order) else AddressRefusal.NOT_PAYABLE


def _ends_at(order: Order) -> int:
    """Until when an order's request can be paid, unix seconds; that of a rest as long as the order waits."""
    if order.part > 1 and order.deadline_ms is not None:
        return order.deadline_ms // 1_000
    return order.quote.valid_until if order.quote else 0


def record_invoice(decision: Decision, command: RecordInvoice) -> None:
    """The call's invoice exists: whoever waits for it is answered, once."""
    asked = decision.shop.asked.get(command.intent_id)
    if asked is None or asked.payment_hash is not None or command.amount_msat != asked.amount_msat:
        return
    decision.emit(
        InvoiceMade(
            intent_id=command.intent_id,
            text=command.text,
            payment_hash=command.payment_hash,
            amount_msat=command.amount_msat,
            expires_at=command.expires_at,
        )
    )


def record_failure(decision: Decision, command: RecordInvoiceFailure) -> None:
    """No invoice can be made: the caller reads so."""
    asked = decision.shop.asked.get(command.intent_id)
    if asked is None or asked.payment_hash is not None:
        return
    reason = AddressRefusal.WALLET_REFUSES
    decision.emit(InvoiceRefused(intent_id=command.intent_id, reason=reason, detail=command.reason))


def observe(decision: Decision, command: ObserveInvoice) -> None:
    """The back-end was asked about an invoice of the address. Money is entered whenever it comes, and each once."""
    known = decision.shop.asked.get(command.intent_id, Asked(command.gross_msat, 0))
    match command.state:
        case BackendState.SETTLED | BackendState.PARTIAL if command.gross_msat > known.paid_msat:
            if known.is_reversed:
                return
            decision.emit(
                AddressPaid(
                    intent_id=command.intent_id,
                    gross_msat=command.gross_msat,
                    before_msat=known.paid_msat,
                    settled_at=command.settled_at,
                )
            )
            if known.zap and command.gross_msat >= known.amount_msat:
                _receipt(decision, command, known)
        case BackendState.REVERSED:
            take_back(decision, command.intent_id)
        case _:
            pass


def _receipt(decision: Decision, command: ObserveInvoice, known: Asked) -> None:
    """The payer asked for a zap receipt: it goes out in the merchant's name, as of when the money came (NIP-57)."""
    merchant = decision.shop.merchant
    tags, relays = receipt_tags(known.zap, merchant, known.text)
    at_s = command.settled_at or decision.at_ms // 1_000
    template = Template(kind=Kind.ZAP_RECEIPT, created_at=at_s, tags=tags, content="")
    decision.emit(
        PublicationPromised(
            coordinate=f"{Kind.ZAP_RECEIPT:d}:{merchant}:{command.intent_id}",
            event_id=event_id(merchant, at_s, template.kind, tags, ""),
            template=template,
            relays=relays,
            cause=command.intent_id,
        )
    )


def take_back(decision: Decision, intent_id: str) -> None:
    """The money of an invoice of the address is gone."""
    known = decision.shop.asked.get(intent_id)
    if known is not None and known.waiting_msat and not known.is_reversed:
        decision.emit(AddressReversed(intent_id=intent_id, amount_msat=known.waiting_msat))


def of_hashes(shop: Shop, payment_hashes: tuple[str, ...]) -> tuple[str, ...]:
    """Which invoices of the address have these payment hashes, in their order; those of other invoices are left out."""
    if not payment_hashes:
        return ()
    found = {one.payment_hash: intent for intent, one in shop.asked.items() if one.payment_hash in payment_hashes}
    return tuple(found[name] for name in payment_hashes if name in found)
