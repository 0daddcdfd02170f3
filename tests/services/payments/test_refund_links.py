"""The payments role has a BTCPay store make one claim link, says it once, in a box, and asks whether it was claimed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import structlog

from schemas.codec import encode
from schemas.crash_points import Point, arm
from schemas.payouts import (
    PayoutApproved,
    RecordPayoutFailure,
    RecordRefundLink,
    RefundLinkMade,
    link_refund_id_of,
)
from schemas.refunds import RecordRefund
from services.payments.port import BackendRef, Refund, Refunded, RefundState, Rejected
from services.payments.role import PaymentsRole
from services.vault import Vault
from streams.domain.shop import Shop
from tests.services.payments.btcpay_bench import backend_of, bench_of
from tests.services.payments.contract import TIMEOUT_S
from tests.services.payments.test_btcpay_refunds import RIGHTS
from tests.support.builders import MERCHANT, a_key
from tests.support.scripted_btcpay import ScriptedBtcpay
from tests.support.till import a_record, until
