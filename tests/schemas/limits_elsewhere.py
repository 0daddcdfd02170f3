"""Limits whose test stands beside the code that enforces them, because it needs a story, a socket or a broker."""

from __future__ import annotations

from schemas import limits

_OPERATORS = "tests/services/api/test_figures.py::test_a_text_at_the_limit_is_taken_and_one_more_is_not"
_GIVEN = (limits.GOODS_TEXT, limits.PARCEL_NAME, limits.REFUND_RAIL, limits.REFUND_REFERENCE, limits.REFUND_REASON)

ELSEWHERE: dict[str, str] = {
    **{row.what: _OPERATORS for row in _GIVEN},
    limits.SHOP_TEXT.what: "tests/streams/domain/test_order_policies.py::test_a_shops_own_words_are_as_long_as",
    limits.PAYMENT_PARTS.what: "tests/streams/domain/test_settlement.py::test_an_order_is_paid_in_ten_parts_at_most",
    limits.PARCELS.what: "tests/streams/domain/test_parcels.py::test_an_order_has_so_many_parcels_and_no_more",
    limits.FRAME.what: "tests/services/relays/test_connection.py::test_a_frame_at_the_cap_is_read",
    limits.FRAME_HARD.what: "tests/services/relays/test_connection.py::test_a_frame_over_the_hard_cap_ends",
    limits.REPLY_TEXT.what: "tests/streams/domain/test_wording.py::test_no_sentence_is_too_long_to_be_sent",
    limits.PARKED_ORDERS.what: "tests/streams/domain/test_buyers.py::test_the_orders_that_messages_wait_for",
    limits.PARKED_TTL.what: "tests/streams/domain/test_parking.py::test_a_message_whose_order_never_came_is_given_up",
    limits.DELETED_IDS.what: "tests/streams/domain/test_catalogue.py::test_so_many_deleted_ids_are_remembered",
    limits.BUYER_OPEN_ORDERS.what: "tests/streams/domain/test_buyers.py::test_a_buyer_has_five_open_orders",
    limits.BUYER_UNPAID_ORDERS.what: "tests/streams/domain/test_buyers.py::test_the_order_past_the_hours_figure",
    limits.BUYER_MESSAGES.what: "tests/streams/domain/test_buyers.py::test_messages_at_the_figure_are_heard",
    limits.SENDER_BURST.what: "tests/streams/test_bursts.py::test_messages_at_the_figure_are_read",
    limits.BUYER_STOCK_SHARE.what: "tests/streams/domain/test_buyers.py::test_one_key_holds_no_more_than_its_share",
    limits.BUYER_STOCK_UNITS.what: "tests/streams/domain/test_buyers.py::test_a_few_pieces_are_anybodys",
    limits.ORDER_SATS.what: "tests/streams/domain/test_buyers.py::test_an_order_may_cost_what_the_shop_says",
    limits.OPEN_INVOICES.what: "tests/streams/domain/test_buyers.py::test_a_shop_takes_so_many_unpaid_orders",
    limits.PUBLISHED.what: "tests/streams/domain/test_publishing.py::test_an_event_that_no_relay_would_take",
    limits.FOREIGN_OFFERS.what: "tests/streams/domain/test_offers.py::test_what_a_stranger_publishes_is_kept_in_small",
    limits.VARIATIONS.what: "tests/streams/domain/test_variations.py::test_so_many_variations_are_named_and_no_more",
    limits.PREFERENCE_ITEMS.what: "tests/schemas/market/test_handlers.py::test_so_many_items_are_kept_and_no_more",
    limits.FOREIGN_HANDLERS.what: "tests/streams/domain/test_payment_choice.py::test_strangers_applications_are_kept",
    limits.PROOFS.what: "tests/streams/domain/test_payment_claims.py::test_so_many_invoices_are_remembered",
    limits.DOOR_MESSAGES.what: "tests/services/api/test_service.py::test_so_many_messages_a_minute_are_taken_in",
    limits.DOOR_WAITING.what: "tests/services/api/test_service.py::test_so_many_callers_wait_at_once",
    limits.ADDRESS_CALLS.what: "tests/services/api/test_address.py::test_so_many_calls_a_minute_go_to_one_shops",
    limits.ADDRESS_CALLER.what: "tests/services/api/test_address.py::test_so_many_calls_a_minute_come_from_one",
    limits.ADDRESS_INVOICES.what: "tests/streams/domain/test_addresses.py::test_an_address_has_so_many_unpaid",
    limits.ADDRESS_PAYMENTS.what: "tests/streams/domain/test_addresses.py::test_so_many_payments_to_an_address",
    limits.HOOK_BODY.what: "tests/services/api/test_hooks.py::test_a_body_at_the_limit_is_read_and_a_longer_one_is_not",
    limits.HOOK_CALLS.what: "tests/services/api/test_hooks.py::test_so_many_calls_a_minute_are_taken_for_one_shop",
    limits.HOOK_REFUSED.what: "tests/services/api/test_hooks.py::test_so_many_refused_calls_a_minute_come_from_one",
    limits.PROOFS_SAID.what: "tests/schemas/dialects/test_gamma_payments.py::test_so_many_payments_are_looked_at",
    limits.ADDRESS.what: "tests/schemas/test_limits.py::test_an_address_is_searched_so_far_and_no_further",
    limits.RELAY_DOCUMENT.what: "tests/services/relays/test_information.py::test_a_description_at_the_cap_is_read",
    limits.PAST_ORDERS.what: "tests/streams/domain/test_past.py::test_the_number_of_past_orders_is_bounded",
    limits.OWED.what: "tests/services/test_publisher.py::test_what_does_not_fit_the_outbox",
    limits.REVIEW_CATEGORY.what: "tests/schemas/market/test_review.py::test_a_category_has_so_long_a_name",
    limits.WAITING_REVIEWS.what: "tests/streams/domain/test_review_standing.py::test_reviews_of_things_nobody",
    limits.MESSAGE_TEXT.what: "tests/schemas/dialects/test_human.py::test_a_text_is_kept_up_to_the_figure_and_cut",
    limits.MENTIONS.what: "tests/schemas/dialects/test_human.py::test_so_many_orders_may_be_named_and_no_more",
    limits.PRIVATE_DELETIONS.what: "tests/schemas/dialects/test_human.py::test_a_private_deletion_names_messages",
    limits.ANSWER_TEXT.what: "tests/services/api/test_inbox.py::test_an_answer_has_words_and_not_too_many",
    limits.WORDS.what: "tests/streams/domain/test_inbox.py::test_so_many_messages_are_remembered_and_no_more",
    limits.INBOX_MESSAGES.what: "tests/streams/domain/test_inbox.py::test_a_crowd_does_not_fill_the_inbox",
    limits.RECORD.what: "tests/integration/test_kafka_edge.py::MESSAGE_BYTES_MAX + 1",
}
"""Row → the test, as file and the beginning of its name."""
