"""What a keeper of keys may answer instead of acting."""

from typing import Final

ASK_AGAIN_S: Final = 2.0
"""Between two questions to a signer that denies."""


class SignerDenies(Exception):
    """The signer does not act now: it is away, locked, or its owner said no.

    Nothing is wrong with what was asked, so it is asked again later. The message is for the operator.
    """
