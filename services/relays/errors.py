"""What can go wrong between us and a relay, split by whether trying again helps.

RelayError
├── BadRelayUrl     the address itself is wrong; never helps
├── Forbidden       the address is well formed and we will not dial it; never helps
├── Unreachable     no connection could be made; helps later
├── ConnectionLost  there was a connection and it ended; helps
├── TimedOut        the relay did not answer in time; helps
└── Refused         the relay answered, and the answer is no; does not help
"""


class RelayError(Exception):
    """Anything that went wrong with one relay; its text is fit for an operator and holds no secret."""


class BadRelayUrl(RelayError):
    """A text that is not a relay's address."""


class Forbidden(RelayError):
    """An address named by a stranger that points where strangers must not send us."""


class Unreachable(RelayError):
    """No connection to the relay could be made."""


class ConnectionLost(RelayError):
    """The connection ended; `is_oversized` says that a frame over the hard cap ended it."""

    def __init__(self, reason: str, *, is_oversized: bool = False) -> None:
        super().__init__(reason)
        self.is_oversized = is_oversized


class TimedOut(RelayError):
    """The relay did not answer in time; what it did is unknown."""


class Refused(RelayError):
    """The relay closed our query for good; the text is the relay's own."""
