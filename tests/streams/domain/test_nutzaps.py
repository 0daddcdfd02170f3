"""Which order a nutzap pays, and that it pays once (NIP-61, PAY-11)."""

from __future__ import annotations

from schemas.cashu.faults import TokenFault
from schemas.ecash import SealedToken, TokenHandedIn, TokenRefused
from schemas.inbox import MessageReceived, ReceiveMessage
from services.payments.port import reference
from tests.streams.domain.test_shown_ecash import FIRST, SECOND, a_token, asked, letter, request, two_orders
from tests.support.builders import STRANGER, an_id
from tests.support.steps import cancelled, paid


def a_nutzap(
    *orders: str, answers: str | None = None, event: str = "zap", token: SealedToken | None = None
) -> ReceiveMessage:
    """A nutzap of the buyer's that names orders by their references, or another event."""
    said = letter(token or a_token(), rumor=event)
    return said.model_copy(update={"order_refs": orders, "answers": answers})


def test_a_nutzap_is_for_the_order_that_it_names() -> None:
    """Of several too; an id that is nobody's names none."""
    assert two_orders().when(a_nutzap(SECOND.ref)).then(TokenHandedIn).one(TokenHandedIn).order == SECOND
    assert two_orders().when(a_nutzap("ab" * 16, FIRST.ref)).one(TokenHandedIn).order == FIRST
    two_orders().when(a_nutzap("ab" * 16)).then(MessageReceived)


def test_a_nutzap_is_for_the_order_whose_message_it_zaps() -> None:
    """Where its author wrote that message; to others it says nothing."""
    story = two_orders()
    assert story.when(a_nutzap(answers=an_id("two"))).then(TokenHandedIn).one(TokenHandedIn).order == SECOND
    two_orders().when(a_nutzap(answers=an_id("unheard of"))).then(MessageReceived)
    theirs = a_nutzap(answers=an_id("two")).model_copy(update={"buyer": STRANGER})
    two_orders().when(theirs).then(MessageReceived)


def test_a_name_goes_before_a_request_and_that_before_an_answer() -> None:
    """What is meant for one order only is not given to another."""
    token = a_token(request_id=reference(request(SECOND).intent_id))
    assert two_orders().when(a_nutzap(FIRST.ref, token=token)).one(TokenHandedIn).order == FIRST
    first = next(iter(two_orders().order(FIRST).rumor_ids))
    assert two_orders().when(a_nutzap(answers=first, token=token)).one(TokenHandedIn).order == SECOND


def test_a_nutzap_that_names_nothing_is_for_the_only_order_that_waits_for_ecash() -> None:
    """Of two nobody can tell: it is a gift."""
    assert asked().when(a_nutzap()).then(TokenHandedIn).one(TokenHandedIn).order == FIRST
    two_orders().when(a_nutzap()).then(MessageReceived)


def test_a_nutzap_for_an_order_that_is_paid_is_refused_and_not_given_to_another() -> None:
    """Its buyer is told why."""
    story = two_orders().when(paid(20)).when(a_nutzap(FIRST.ref))
    assert story.one(TokenRefused).reason is TokenFault.ALREADY_PAID
    story = two_orders().when(cancelled()).when(a_nutzap(FIRST.ref))
    assert story.one(TokenRefused).reason is TokenFault.NOT_PAYABLE


def test_a_nutzap_counts_once_however_often_it_or_its_proofs_come() -> None:
    """Relays bring it again, and the same proofs stand in another event."""
    story = asked().when(a_nutzap(FIRST.ref)).then(TokenHandedIn)
    story.when(a_nutzap(FIRST.ref)).then_nothing()
    story.when(a_nutzap(FIRST.ref, event="another event")).then_nothing()
    story.when(paid(20))
    story.when(a_nutzap(FIRST.ref)).then_nothing()
    story.when(a_nutzap(FIRST.ref, event="a third event")).then_nothing()
