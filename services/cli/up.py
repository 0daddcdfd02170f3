"""`ncc up`: the whole stack in one home folder."""

RELAY_HELP = ""


def up() -> None:
    """stub"""
