"""A signer behind a socket does what one in this process does, byte for byte, and says in the same words why not."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.catalogue import Template
from schemas.nostr import nip04, nip17, nip59
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, UnsignedEvent
from schemas.nostr.nip44 import PayloadRefused, payload_nonce
from schemas.signing import SignerDenies
from services.signer.keystore import Keystore
from services.signer.local import LocalSigner
from services.signer.port import Signer, UnknownMerchant
from services.signer.remote import RemoteSigner, SignerDoor
from tests.schemas.nostr import given
from tests.support.builders import NOW_S

SHOP, BUYER = given.MERCHANT, given.BUYER


class Served:
    """A door that can be closed and opened again, and both signers."""

    def __init__(self, folder: Path) -> None:
        keystore = Keystore(folder / "keys", folder / "passphrase")
        keystore.add(SHOP)
        self.local = LocalSigner(keystore)
        self.file = folder / "signer.sock"
        self.remote = RemoteSigner(self.file)
        self.open(self.local)

    def open(self, signer: Signer) -> None:
        """Answer over this signer."""
        self.door = SignerDoor(self.file, signer)
        self._thread = threading.Thread(target=self.door.serve)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self.door.close()
        self._thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A door over a keystore with one shop."""
    made = Served(tmp_path)
    yield made
    made.close()


def acts(signer: Signer) -> dict[str, object]:
    """Everything a role asks of a signer, and what comes of it."""
    rumor = nip17.make_rumor(
        SHOP.public_key, NOW_S, Kind.ORDER, (("p", BUYER.public_key), ("type", "3")), "Thanks · 谢谢"
    )
    template = Template(kind=Kind.PRODUCT, created_at=NOW_S, tags=(("d", "tea"), ("title", "Tea")), content="")
    copy = signer.seal_and_wrap(rumor, SHOP.public_key, "effect-1")
    return {
        "merchants": signer.merchants(),
        "copy": copy,
        "reply": signer.seal_and_wrap(rumor, BUYER.public_key, "effect-1"),
        "own": signer.is_own_copy(copy, SHOP.public_key),
        "opened": signer.open_wrap(given.wrapped(given.as_rumor_fields(given.an_order())), SHOP.public_key),
        "direct": signer.seal_direct(a_direct_message(), BUYER.public_key, "effect-2"),
        "opened direct": signer.open_direct(a_question(), SHOP.public_key),
        "listing": signer.sign_public(SHOP.public_key, template),
        "draft": (sealed := signer.seal_private(SHOP.public_key, Kind.DRAFT_WRAP, "tea", "A secret tea")),
        "opened draft": signer.open_private(a_draft(sealed)),
        "emptied": signer.seal_private(SHOP.public_key, Kind.DRAFT_WRAP, "tea", ""),
        "opened empty": signer.open_private(a_draft("")),
        "auth": signer.authenticate(SHOP.public_key, "wss://relay.example", "c", NOW_S),
    }


def a_direct_message(kind: Kind = Kind.ENCRYPTED_DIRECT_MESSAGE) -> nip59.Rumor:
    """What the shop says in a kind 4, before it is encrypted."""
    to_buyer = (("p", BUYER.public_key),)
    return nip17.make_rumor(SHOP.public_key, NOW_S, kind, to_buyer, "Paid · 谢谢")


def a_question() -> Event:
    """A buyer's kind 4 to the shop."""
    to_shop = (("p", SHOP.public_key),)
    asked = nip17.make_rumor(BUYER.public_key, NOW_S, Kind.ENCRYPTED_DIRECT_MESSAGE, to_shop, "Is there tea?")
    return nip04.make_message(asked, BUYER, SHOP.public_key, "asked")


def a_draft(content: str) -> UnsignedEvent:
    """A draft of the shop's."""
    return UnsignedEvent(pubkey=SHOP.public_key, created_at=NOW_S, kind=Kind.DRAFT_WRAP, tags=(), content=content)


@pytest.mark.req("ID-12")
def test_every_act_gives_the_same_bytes_behind_a_socket(served: Served) -> None:
    """Two deployments of one journal, one with its keys elsewhere, say the same to the world."""
    assert acts(served.remote) == acts(served.local)


def test_a_refusal_keeps_its_reason_and_an_unknown_merchant_is_named(served: Served) -> None:
    """Callers tell a bad wrap, a missing key and a wrong question apart as they do without a socket."""
    wrap = given.wrapped(given.as_rumor_fields(given.an_order()))
    spoiled = wrap.model_copy(update={"content": wrap.content[:-8] + "AAAAAAA="})
    template = Template(kind=Kind.DELETION, created_at=NOW_S, tags=(), content="")
    refusals = []
    for signer in (served.local, served.remote):
        with pytest.raises(nip59.WrapRefused) as refused:
            signer.open_wrap(spoiled, SHOP.public_key)
        refusals.append((refused.value.reason, refused.value.detail))
        with pytest.raises(UnknownMerchant, match=BUYER.public_key):
            signer.open_wrap(wrap, BUYER.public_key)
        with pytest.raises(ValueError, match="deletion"):
            signer.sign_public(SHOP.public_key, template)
        with pytest.raises(nip04.ContentRefused, match="nip04_form"):
            signer.open_direct(a_question().model_copy(update={"content": "no vector"}), SHOP.public_key)
        with pytest.raises(ValueError, match="not sent as kind 4"):
            signer.seal_direct(a_direct_message(Kind.CHAT_MESSAGE), BUYER.public_key, "effect-3")
        with pytest.raises(PayloadRefused, match="nip44_size"):
            signer.open_private(a_draft("AgK"))
    assert refusals[0] == refusals[1]
    assert refusals[0][1].startswith("nip44_mac")


@pytest.mark.req("ID-12")
def test_a_signer_that_is_away_denies_and_one_that_comes_back_is_found(served: Served) -> None:
    """Nobody has to be started again."""
    assert served.remote.merchants() == {SHOP.public_key}
    served.close()
    with pytest.raises(SignerDenies, match="does not answer"):
        served.remote.merchants()

    served.open(served.local)
    assert served.remote.merchants() == {SHOP.public_key}


@pytest.mark.req("ID-12")
def test_what_the_owner_denies_is_denied_in_the_owners_words(served: Served) -> None:
    """A signer may have reasons of its own; they come through."""

    class Locked(LocalSigner):
        def open_wrap(self, wrap: Event, merchant: str) -> nip59.OpenedWrap:
            raise SignerDenies("locked for the night")

    served.close()
    served.open(Locked(Keystore(Path("nowhere"), Path("nowhere"))))
    with pytest.raises(SignerDenies, match="locked for the night"):
        served.remote.open_wrap(given.wrapped(given.as_rumor_fields(given.an_order())), SHOP.public_key)


@pytest.mark.req("ID-09")
def test_only_the_owner_may_open_the_socket_and_no_line_breaks_it(served: Served) -> None:
    """Its mode is 0600; whatever is said to it, the next question is answered."""
    assert stat.S_IMODE(served.file.stat().st_mode) == 0o600
    for line in (
        b"\n",
        b"{}\n",
        b"[1]\n",
        b'{"act": "give_key"}\n',
        b'{"act": "open_wrap", "wrap": 1, "merchant": 2}\n',
    ):
        answer = served.remote._exchange(line)
        assert answer.startswith(b'{"wrong"')
        assert SHOP.reveal().hex().encode() not in answer
    assert served.remote.merchants() == {SHOP.public_key}


@pytest.mark.req("NCC-04")
def test_nothing_but_a_shops_own_events_is_ever_signed(served: Served) -> None:
    """Neither a note nor a reaction, nor a deletion of what is not the shop's; and nothing else is opened."""

    def asked(signer: Signer, kind: int, *tags: tuple[str, ...]) -> None:
        signer.sign_public(SHOP.public_key, Template(kind=kind, created_at=NOW_S, tags=tags, content=""))

    own, note = f"30402:{SHOP.public_key}:tea", ("e", "ab" * 32)
    for signer in (served.local, served.remote):
        asked(signer, 9735, ("p", SHOP.public_key))
        with pytest.raises(ValueError, match="to nobody else"):
            asked(signer, 9735, ("p", "ab" * 32))
        for kind in (0, 1, 3, 7, 16, 1059, 10_002, 30_023):
            with pytest.raises(ValueError, match="not published"):
                asked(signer, kind, ("d", "x"))
        for tags in (((note),), (("a", own), note), (("a", f"30402:{BUYER.public_key}:tea"),), (("a", "1:x:"),), ()):
            with pytest.raises(ValueError, match="deletion"):
                asked(signer, Kind.DELETION, *tags)
        asked(signer, Kind.DELETION, ("a", own), ("k", "30402"))
        with pytest.raises(ValueError, match="merchant alone"):
            signer.seal_private(SHOP.public_key, Kind.SEAL, "", "x")
        with pytest.raises(ValueError, match="merchant alone"):
            signer.open_private(a_draft("x").model_copy(update={"kind": int(Kind.SEAL)}))


def test_a_draft_is_the_same_ciphertext_each_time_and_another_for_another_text(served: Served) -> None:
    """So saving it twice says nothing new, and no nonce is ever used for two texts."""
    seal = served.local.seal_private
    first = seal(SHOP.public_key, Kind.DRAFT_WRAP, "tea", "A secret tea")
    assert first == seal(SHOP.public_key, Kind.DRAFT_WRAP, "tea", "A secret tea")
    others = [
        seal(SHOP.public_key, Kind.DRAFT_WRAP, "cup", "A secret tea"),
        seal(SHOP.public_key, Kind.DRAFT_RELAYS, "tea", "A secret tea"),
        seal(SHOP.public_key, Kind.DRAFT_WRAP, "tea", "A secret pot"),
    ]
    assert len({payload_nonce(text) for text in (first, *others)}) == 4
    assert "secret" not in first
