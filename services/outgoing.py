"""What the journal promises a buyer as a message to send: to whom, under which name, and the rumor's draft."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemas.dialects import DIALECTS
from schemas.dialects.contract import Draft
from schemas.dialects.human import write_answer, write_companion
from schemas.inbox import AnswerPromised, conversation_ref
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, writable
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import Rumor
from schemas.replies import ReplyPromised, TextReply
from schemas.values import SealedDetails
from services.signer.port import Signer

OpenText = Callable[[str, SealedDetails], str]
"""(merchant, sealed text) → the text. Raises `LookupError` where it was erased."""


def no_vault(_merchant: str, _sealed: SealedDetails) -> str:
    """Stands for a vault where there is none."""
    raise LookupError("there is no vault here")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message. Its rumor follows from the journal alone, so every retry wraps the same one (MSG-09)."""

    recipient: str
    effect_id: str
    order_ref: str | None
    what: str
    at_s: int
    chain: str
    """Messages of one chain go out in their order."""
    write: Callable[[], Draft]

    def events(self, signer: Signer, merchant: str) -> tuple[Event, Event]:
        """The message to the recipient and the merchant's own copy of it; a kind 4 is its own copy.

        Raises what `rumor` and the signer raise.
        """
        rumor = self.rumor(merchant)
        if rumor.kind == Kind.ENCRYPTED_DIRECT_MESSAGE:
            message = signer.seal_direct(rumor, self.recipient, self.effect_id)
            return message, message
        to_buyer = signer.seal_and_wrap(rumor, self.recipient, self.effect_id)
        return to_buyer, signer.seal_and_wrap(rumor, merchant, self.effect_id)

    def rumor(self, merchant: str) -> Rumor:
        """The rumor to seal, or of a kind 4 what is encrypted instead.

        Raises ValueError for one that cannot be written, LookupError for an erased text.
        """
        draft = self.write()
        tags = tuple(tuple(writable(text) for text in tag) for tag in draft.tags)
        return make_rumor(merchant, self.at_s, draft.kind, tags, writable(draft.content))


def of_reply(merchant: str, promised: ReplyPromised, open_text: OpenText) -> tuple[Outgoing, ...]:
    """A reply in its order's dialect, and its companion for people's clients where one was promised (MSG-11)."""
    ref = promised.order.ref
    dialect = DIALECTS[promised.dialect]
    reply = Outgoing(
        recipient=promised.order.buyer,
        effect_id=promised.effect_id,
        order_ref=ref,
        what=promised.reply.type,
        at_s=promised.at_s,
        chain=ref,
        write=lambda: dialect.write(_opened(merchant, promised, open_text)),
    )
    if not promised.companion:
        return (reply,)
    companion = Outgoing(
        recipient=promised.order.buyer,
        effect_id=f"companion:{ref}:{promised.number}",
        order_ref=ref,
        what="companion",
        at_s=promised.at_s,
        chain=ref,
        write=lambda: write_companion(promised),
    )
    return reply, companion


def of_answer(merchant: str, promised: AnswerPromised, open_text: OpenText) -> Outgoing:
    """An answer to a person; its text leaves the vault only when it is wrapped."""
    return Outgoing(
        recipient=promised.buyer,
        effect_id=promised.effect_id(merchant),
        order_ref=promised.order.ref if promised.order else None,
        what="answer",
        at_s=promised.at_s,
        chain=conversation_ref(merchant, promised.buyer),
        write=lambda: write_answer(promised, open_text(merchant, promised.text)),
    )


def _opened(merchant: str, promised: ReplyPromised, open_text: OpenText) -> ReplyPromised:
    """The message with what is in its box: goods that are texts leave the vault only when they are wrapped."""
    reply = promised.reply
    if not isinstance(reply, TextReply) or reply.sealed is None:
        return promised
    whole = f"{reply.text}\n\n{open_text(merchant, reply.sealed)}"
    return promised.model_copy(update={"reply": reply.model_copy(update={"text": whole, "sealed": None})})
