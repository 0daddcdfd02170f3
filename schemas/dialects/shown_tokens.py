"""Ecash that buyers show: in `payment` tags, as all that a message says (NUT-18), or in a nutzap (NIP-61).

A token is money for whoever reads it: its text stands in `ShownToken` alone, and is sealed before it goes anywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from schemas import limits
from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.requests import read_payload
from schemas.cashu.tokens import PROOFS_MAX, SAT, TOKEN_CHARS_MAX, Token, mint_name, read_token, token_of, write_token

_TOKEN: Final = re.compile(r"\s*(?:cashu:(?://)?)?cashu[AB][\w+/=-]{8}", re.ASCII | re.IGNORECASE)
_REFERENCE: Final = re.compile(r"[a-z2-7]{24}", re.ASCII)
_MEDIA: Final = frozenset({"ecash", "cashu"})


@dataclass(frozen=True, slots=True)
class ShownToken:
    """A token that somebody shows, written as V4; without `text` it is none, for the reason in `fault`.

    `request_id` is which of our requests it says it is for (NUT-18), where it names one in our own form.
    """

    token_id: str
    text: str | None = field(repr=False)
    fault: TokenFault | None = None
    request_id: str | None = None


def tokens_in_tags(tags: Iterable[tuple[str, ...]]) -> tuple[ShownToken, ...]:
    """The tokens of `payment` tags, each once, of as many tags as are read."""
    payments = [tag for tag in tags if tag[0] == "payment" and len(tag) > 1][: limits.PROOFS_SAID.most]
    shown = (one for tag in payments if (one := _in_tag(tag)) is not None)
    return tuple({one.token_id: one for one in shown}.values())


def token_in_text(content: str) -> ShownToken | None:
    """The token that a whole message is, by itself or as a wallet sends it for a request; None for anything else."""
    try:
        if _TOKEN.match(content):
            return _shown(read_token(content))
        if content.lstrip()[:1] != "{":
            return None
        payload = read_payload(content)
    except TokenRefused:
        return None
    name = payload.id or ""
    return _shown(payload.token, name if _REFERENCE.fullmatch(name) else None)


def token_in_nutzap(tags: Iterable[tuple[str, ...]]) -> ShownToken:
    """The token that a nutzap's tags make up: `proof` for each of its proofs, the mint in `u`, and the `unit`.

    Raises `TokenRefused`.
    """
    said: dict[str, list[str]] = {"proof": [], "u": [], "unit": []}
    for tag in tags:
        if tag[0] in said and len(tag) > 1:
            said[tag[0]].append(tag[1])
    proofs, mints = said["proof"], {mint_name(url) for url in said["u"]}
    if not proofs:
        raise TokenRefused(TokenFault.NO_TOKEN)
    if len(proofs) > PROOFS_MAX:
        raise TokenRefused(TokenFault.TOO_MANY_PROOFS)
    if sum(map(len, proofs)) > TOKEN_CHARS_MAX:
        raise TokenRefused(TokenFault.TOO_LONG)
    units = {unit.strip().lower() for unit in said["unit"]} or {SAT}
    if len(mints) != 1 or len(units) != 1:
        raise TokenRefused(TokenFault.SEVERAL_MINTS if len(mints) > 1 else TokenFault.BAD_SHAPE)
    return _shown(token_of(mints.pop(), units.pop(), [_from_json(proof) for proof in proofs]))


def looks_like_money(text: str) -> bool:
    """Whether a text may be a token or proofs, in any case of its letters: nothing of such a text is shown."""
    return _TOKEN.match(text) is not None or text.lstrip()[:1] in ("{", "[")


def _in_tag(tag: tuple[str, ...]) -> ShownToken | None:
    """`["payment", "ecash", mint, token]`, with the token anywhere, or the mint's bare proofs in its place."""
    for text in tag[1:]:
        if _TOKEN.match(text):
            return _read(text, partial(read_token, text))
    if len(tag) < 4 or tag[1].strip().lower() not in _MEDIA or not looks_like_money(tag[3]):
        return None
    return _read(tag[3], partial(_of_proofs, tag[2].strip(), tag[3]))


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise TokenRefused(TokenFault.BAD_ENCODING) from None


def _of_proofs(mint: str, text: str) -> Token:
    said = _from_json(text)
    return token_of(mint, SAT, said if isinstance(said, list) else [said])


def _read(text: str, read: Callable[[], Token]) -> ShownToken:
    """What is meant to be a token; one that cannot be read has a name all the same, so that it is refused once."""
    try:
        return _shown(read())
    except TokenRefused as refused:
        return ShownToken(hashlib.sha256(text.encode()).hexdigest(), None, refused.reason)


def _shown(token: Token, request_id: str | None = None) -> ShownToken:
    return ShownToken(token.digest, write_token(token), request_id=request_id)
