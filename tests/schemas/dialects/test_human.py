"""People's messages: what stands in the inbox, what is some client's order message, and what is taken back."""

from __future__ import annotations

import pytest

from schemas import limits
from schemas.dialects.contract import MessageFault, MessageRefused, Said
from schemas.dialects.human import Letter, read_deletion, read_letter
from schemas.inbox import MessageKind
from schemas.nostr.kinds import Kind
from schemas.values import Actor
from tests.support.builders import BUYER, MERCHANT, OTHER_BUYER, STRANGER, Tag, a_key, a_rumor, an_id

TO_M, TO_B = ("p", MERCHANT), ("p", BUYER)


def a_letter(*tags: Tag, content: str = "Do you ship to Malta?", author: str = BUYER, kind: int = 14) -> Said:
    """A person's question to the shop."""
    to = TO_B if author == MERCHANT else TO_M
    return a_rumor(kind, to, *tags, author=author, content=content)


def fault(said: Said) -> MessageFault:
    """Why it is no letter; the reason quotes nothing of it."""
    with pytest.raises(MessageRefused) as caught:
        read_letter(said)
    assert not said.content.strip() or said.content not in str(caught.value)
    return caught.value.reason


def test_a_question_is_a_letter_in_its_writers_thread() -> None:
    """With nothing but its text."""
    letter = read_letter(a_letter())

    assert letter == Letter(BUYER, MessageKind.TEXT, "Do you ship to Malta?", None, (), None, False)
    assert "Malta" not in repr(letter)


@pytest.mark.parametrize("name", ["subject", "order"])
def test_a_letter_names_an_order_by_its_subject_or_order_tag(name: str) -> None:
    """As a reference that only this buyer's order of that id has; what may be no order id names none."""
    assert read_letter(a_letter((name, "order-1"))).order_refs == (a_key().ref,)
    assert read_letter(a_letter((name, "Grüße"))).order_refs == ()
    assert read_letter(a_letter((name, "x" * (limits.ORDER_ID.most + 1)))).order_refs == ()


def test_the_merchants_own_message_stands_in_the_thread_of_whom_it_was_for() -> None:
    """Written in another client, seen by its copy."""
    said = a_letter(("subject", "order-1"), author=MERCHANT)

    letter = read_letter(said)

    assert (said.actor, letter.buyer, letter.order_refs) == (Actor.MERCHANT, BUYER, (a_key().ref,))


def test_a_message_to_a_room_is_marked_and_the_merchants_own_is_set_aside() -> None:
    """Only the writer's thread is told of; whose thread the merchant's would be nobody can say."""
    assert read_letter(a_letter(("p", OTHER_BUYER))).is_room
    assert not read_letter(a_letter(("p", BUYER))).is_room
    assert fault(a_letter(("p", STRANGER), author=MERCHANT)) is MessageFault.RECIPIENT_MISMATCH


def test_a_message_for_somebody_else_is_no_letter_to_this_shop() -> None:
    """Whoever wrapped it to us."""
    assert fault(a_rumor(14, ("p", STRANGER), content="hello")) is MessageFault.RECIPIENT_MISMATCH


@pytest.mark.parametrize(
    ("tags", "content"),
    [
        ((("item", f"30402:{MERCHANT}:tea", "1"), ("order", "1")), "order-info"),
        ((("type", "1"), ("order", "1")), "I want 2"),
        ((("tracking", "T1"), ("order", "1")), "on its way"),
        ((("amount", "5"), ("payment", "lightning", "lnbc1")), "please pay"),
        ((), '{"type": 0, "id": "1", "items": [{"product_id": "tea", "quantity": 1}]}'),
        ((), ' [{"type": 1}]'),
    ],
)
def test_what_carries_a_checkout_is_no_letter(tags: tuple[Tag, ...], content: str) -> None:
    """By its tags or by its JSON: another client's order message, kept apart (MSG-04)."""
    assert fault(a_letter(*tags, content=content)) is MessageFault.KNOWN_FOREIGN_DIALECT


@pytest.mark.parametrize("content", ["{sigh}", "[sic] I want 2", "[1, 2]", "2", '"tea"'])
def test_prose_that_begins_like_json_is_a_letter_all_the_same(content: str) -> None:
    """People write brackets."""
    assert read_letter(a_letter(content=content)).text == content


def test_a_file_is_a_letter_with_what_opens_it() -> None:
    """NIP-17's kind 15; of the same kind without that, it is the order message of a former draft."""
    tags = (("file-type", "image/png"), ("encryption-algorithm", "aes-gcm"), ("decryption-key", "00ff"))

    letter = read_letter(a_letter(*tags, content="https://files.example/1", kind=15))

    assert letter.kind is MessageKind.FILE
    assert letter.text == (
        "https://files.example/1\nfile-type: image/png\nencryption-algorithm: aes-gcm\ndecryption-key: 00ff"
    )
    order = a_letter(("subject", "order-info"), ("order", "1"), content="", kind=15)
    assert fault(order) is MessageFault.KNOWN_FOREIGN_DIALECT


def test_a_message_without_words_is_none() -> None:
    """Blanks are no words."""
    assert fault(a_letter(content=" \n")) is MessageFault.EMPTY_MESSAGE


def test_a_letter_says_which_message_it_answers() -> None:
    """By its `e` tag, if that is an id."""
    assert read_letter(a_letter(("e", an_id("ours")))).answers == an_id("ours")
    assert read_letter(a_letter(("e", "ours"))).answers is None


def test_a_private_deletion_names_messages_of_a_thread() -> None:
    """Each once, and no more than are heeded."""
    ids = [an_id(str(n)) for n in range(limits.PRIVATE_DELETIONS.most + 5)]
    said = a_rumor(Kind.DELETION, TO_M, *(("e", one) for one in (ids[0], *ids)), ("e", "nothing"))

    deletion = read_deletion(said)

    assert (deletion.buyer, deletion.actor) == (BUYER, Actor.BUYER)
    assert deletion.rumor_ids == tuple(ids[: limits.PRIVATE_DELETIONS.most])
    with pytest.raises(MessageRefused) as caught:
        read_deletion(a_rumor(Kind.DELETION, TO_M, ("a", f"30402:{MERCHANT}:tea")))
    assert caught.value.reason is MessageFault.BAD_SHAPE


def test_a_text_is_kept_up_to_the_figure_and_cut_past_it() -> None:
    """A cut one ends with a mark; a file's address, with what opens it, is a text too."""
    most = limits.MESSAGE_TEXT.most

    assert read_letter(a_letter(content="x" * most)).text == "x" * most
    assert read_letter(a_letter(content="x" * (most + 1))).text == "x" * (most - 1) + "…"


def test_so_many_orders_may_be_named_and_no_more() -> None:
    """Each is looked up, so a message of a thousand of them would be work."""
    named = [("order", f"o-{n}") for n in range(limits.MENTIONS.most + 1)]

    assert len(read_letter(a_letter(*named[:-1])).order_refs) == limits.MENTIONS.most
    assert read_letter(a_letter(*named)).order_refs == read_letter(a_letter(*named[:-1])).order_refs
