"""What a private message is read as, or why it is none."""

from __future__ import annotations

import pytest

from schemas.dialects.contract import MessageFault, MessageRefused, Said
from schemas.dialects.gamma import DIALECT


def fault(said: Said) -> MessageFault:
    """Why this message is no command; whatever the reason, it quotes nothing the sender wrote."""
    with pytest.raises(MessageRefused) as caught:
        DIALECT.read(said)
    for tag in said.tags:
        assert all(len(value) < 8 or value not in str(caught.value) for value in tag[1:])
    assert not said.content or said.content not in str(caught.value)
    return caught.value.reason
