"""What is asked of relays so that order messages for everybody to read are seen."""

from __future__ import annotations

import pytest

from services.following import Followed, Topic, filters_of, targets_of
from tests.support.builders import MERCHANT, OTHER_MERCHANT


@pytest.mark.req("MSG-07")
def test_public_messages_that_name_a_shop_are_asked_for_as_wraps_are() -> None:
    """Kinds 14, 16 and 17, for several shops at once, from as long ago as the relay has them."""
    targets = {key for shop in (OTHER_MERCHANT, MERCHANT) for key in targets_of(Topic.OPEN, shop, Followed())}

    (wanted,) = filters_of(Topic.OPEN, targets)

    assert wanted == {"kinds": [14, 16, 17], "#p": [MERCHANT, OTHER_MERCHANT]}
