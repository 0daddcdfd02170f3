-- name: events
-- The one base table: a row for each event of each journal record, and a further row for each of the event's lines.
-- A record without events has one row of type 'Nothing', so max(sequence) is where the writer stands.
-- There is no PARTITION BY: an insert of one block is one part, all of it there or none.
-- The key names a row for ever, so a row that is written twice counts once (FINAL, as the views read it).
CREATE TABLE IF NOT EXISTS events
(
    partition UInt16,
    sequence UInt64,
    position UInt16,                        -- the event's place in its record
    line UInt16,                            -- 0 is the event itself, 1… are its lines
    type LowCardinality(String),
    merchant LowCardinality(String),        -- public key
    at DateTime64(3, 'UTC'),                -- the record's time
    order_ref String,                       -- our short name of an order, '' where it is about none
    buyer String,                           -- keyed hash, another one for each merchant; never the public key
    coordinate String,                      -- of a listing, option or product
    subject String,                         -- payment intent, effect or event id; the cause of a stock base
    title String,                           -- of a listing, at the time
    quantity Nullable(Int64),               -- units; of StockSet the new base, NULL where tracking ends
    amount_msat Nullable(Int64),            -- of the event; of the move to confirmed what was paid
    due_msat Nullable(Int64),               -- what was owed when it was paid
    status LowCardinality(String),          -- what an axis moved to
    reason LowCardinality(String),          -- a stable code
    actor LowCardinality(String),
    dialect LowCardinality(String),
    country LowCardinality(String),         -- ISO 3166-1
    score Nullable(Decimal(38, 18)),
    strict_score Nullable(Decimal(38, 18)),
    INDEX by_order order_ref TYPE bloom_filter(0.01) GRANULARITY 4,
    PROJECTION reach (SELECT partition, max(sequence) GROUP BY partition)
)
ENGINE = ReplacingMergeTree
ORDER BY (merchant, type, partition, sequence, position, line)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, deduplicate_merge_projection_mode = 'rebuild';

-- name: orders
-- Every version of every order row that reached us; the highest sequence is the order as it stands.
-- The buyer's public key and order id are needed to act on an order. Nothing else about a person is here.
CREATE TABLE IF NOT EXISTS orders
(
    merchant LowCardinality(String),
    ref String,
    buyer String,
    order_id String,
    dialect LowCardinality(String),
    revision UInt32,
    status LowCardinality(String),
    payment LowCardinality(String),
    shipping LowCardinality(String),
    reason LowCardinality(String),
    coordinates Array(String),              -- of the lines
    quantities Array(Int64),                -- of the lines, in the same order
    country LowCardinality(String),         -- '' where it is not known
    total_msat Nullable(Int64),
    paid_msat Int64,
    tracking String,
    cancellation_requested Bool,
    leaky Bool,                             -- it was written for everybody to read
    message_deleted Bool,                   -- its buyer took the message back, which leaves the order
    placed_at DateTime64(3, 'UTC'),
    requested_at Nullable(DateTime64(3, 'UTC')),
    confirmed_at Nullable(DateTime64(3, 'UTC')),
    updated_at DateTime64(3, 'UTC'),
    partition UInt16,
    sequence UInt64,
    on_hold Bool,                           -- a person has it, and its buyer hears nothing
    ready Bool,                             -- its buyer was told to come for it
    implied_payment Bool,                   -- the merchant went on with it before its money was seen
    refunded_msat Int64,
    parcels Array(String),
    parcel_states Array(LowCardinality(String)), -- of the parcels, in the same order
    next_due_at Nullable(DateTime64(3, 'UTC')), -- when goods whose price recurs are due again
    owed_msat Int64,                        -- what of its money is the buyer's by our own reckoning
    reversed_msat Int64,                    -- what was taken back of its money
    token_refused LowCardinality(String),   -- why the last ecash for it was not taken; '' where none was refused
    request_forgotten Bool,                 -- its wallet does not know the request that its buyer was shown
    payout LowCardinality(String)           -- wanted, approved or failed; '' where none is under way
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (merchant, ref);

-- name: on_hold
-- Tables made before orders could be put on hold, refunded or sent in parcels get the columns for it.
ALTER TABLE orders
    ADD COLUMN IF NOT EXISTS on_hold Bool,
    ADD COLUMN IF NOT EXISTS ready Bool,
    ADD COLUMN IF NOT EXISTS implied_payment Bool,
    ADD COLUMN IF NOT EXISTS refunded_msat Int64,
    ADD COLUMN IF NOT EXISTS parcels Array(String),
    ADD COLUMN IF NOT EXISTS parcel_states Array(LowCardinality(String));

-- name: next_due
-- The column for tables that were made before it.
ALTER TABLE orders ADD COLUMN IF NOT EXISTS next_due_at Nullable(DateTime64(3, 'UTC'));

-- name: owed
-- The columns for tables that were made before them.
ALTER TABLE orders
    ADD COLUMN IF NOT EXISTS owed_msat Int64,
    ADD COLUMN IF NOT EXISTS reversed_msat Int64;

-- name: token_refused
-- The column for tables that were made before it.
ALTER TABLE orders ADD COLUMN IF NOT EXISTS token_refused LowCardinality(String);

-- name: request_forgotten
-- The column for tables that were made before it.
ALTER TABLE orders ADD COLUMN IF NOT EXISTS request_forgotten Bool;

-- name: payout
-- The column for tables that were made before it.
ALTER TABLE orders ADD COLUMN IF NOT EXISTS payout LowCardinality(String);

-- name: leaky
-- The column for tables that were made before it.
ALTER TABLE orders ADD COLUMN IF NOT EXISTS leaky Bool AFTER cancellation_requested;

-- name: message_deleted
-- The column for tables that were made before it.
ALTER TABLE orders ADD COLUMN IF NOT EXISTS message_deleted Bool AFTER leaky;

-- name: inventory
-- Every version of every listing's stock row; available = on_hand − held.
CREATE TABLE IF NOT EXISTS inventory
(
    merchant LowCardinality(String),
    coordinate String,
    title String,
    price String,
    on_hand Nullable(Int64),                -- NULL where stock is not tracked
    held Int64,
    sold Int64,
    withdrawn Bool,
    updated_at DateTime64(3, 'UTC'),
    partition UInt16,
    sequence UInt64
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (merchant, coordinate);

-- name: reviews
-- Every version of every author's review of a product; reviews are public events, so is their author.
CREATE TABLE IF NOT EXISTS reviews
(
    merchant LowCardinality(String),
    product String,
    author String,
    event_id String,
    thumb Decimal(38, 18),
    score Decimal(38, 18),
    strict_score Decimal(38, 18),
    categories Array(String),
    category_scores Array(Decimal(38, 18)),
    reviewed_at DateTime64(3, 'UTC'),
    withdrawn Bool,
    standing LowCardinality(String),
    is_verified Bool,
    parent String,
    updated_at DateTime64(3, 'UTC'),
    partition UInt16,
    sequence UInt64
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (merchant, product, author);

-- name: standing
-- How reviews stand: columns that a store of an earlier version lacks.
ALTER TABLE reviews
    ADD COLUMN IF NOT EXISTS standing LowCardinality(String) DEFAULT 'counts' AFTER withdrawn,
    ADD COLUMN IF NOT EXISTS is_verified Bool AFTER standing,
    ADD COLUMN IF NOT EXISTS parent String AFTER is_verified;

-- name: ratings
-- Every version of every figure that reviews come to: of a product, of a variable one with its variations ('parent'),
-- or of the shop. category is '' for the scores themselves. stars counts one to five of them.
CREATE TABLE IF NOT EXISTS ratings
(
    merchant LowCardinality(String),
    level LowCardinality(String),           -- product, parent or merchant
    target String,                          -- an address, or the merchant's public key
    category String,
    reviews Int64,
    verified Int64,                         -- of them, by buyers with a completed order
    total Decimal(38, 18),                  -- sum of the scores, exact
    mean Nullable(Decimal(38, 4)),          -- NULL without reviews
    stars Array(Int64),
    updated_at DateTime64(3, 'UTC'),
    partition UInt16,
    sequence UInt64
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (merchant, level, target, category);

-- name: messages
-- Every version of every message between a shop and a person: who, when and about which order, never a word of it.
-- The buyer's public key is needed to answer.
CREATE TABLE IF NOT EXISTS messages
(
    merchant LowCardinality(String),
    buyer String,
    name String,                            -- the rumor's id; of an answer written here its own name
    author LowCardinality(String),          -- buyer or merchant
    kind LowCardinality(String),            -- text or file
    order_ref String,                       -- '' where it names no order of the buyer's
    answers String,
    is_answer Bool,                         -- written here, not in another client of the merchant's
    is_room Bool,                           -- others were addressed too
    deleted Bool,
    said_at DateTime64(3, 'UTC'),
    updated_at DateTime64(3, 'UTC'),
    partition UInt16,
    sequence UInt64
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (merchant, buyer, name);

-- name: offers
-- Every version of what a merchant publishes, and of others' options a shop knows; body is the contract as JSON.
-- A draft's content in there is encrypted to the merchant.
CREATE TABLE IF NOT EXISTS offers
(
    merchant LowCardinality(String),
    coordinate String,
    event_id String,
    title String,
    body String,
    created_at DateTime64(3, 'UTC'),
    withdrawn Bool,
    updated_at DateTime64(3, 'UTC'),
    partition UInt16,
    sequence UInt64
)
ENGINE = ReplacingMergeTree(sequence)
ORDER BY (merchant, coordinate);

-- name: deliveries
-- What became of each message: one row for each effect and the event that carried it, the latest report counts.
-- A relay's own words are left out, only its outcome is kept.
CREATE TABLE IF NOT EXISTS deliveries
(
    merchant LowCardinality(String),
    effect_id String,
    event_id String,
    order_ref String,
    what LowCardinality(String),
    state LowCardinality(String),
    compat_route Bool,
    relays Array(LowCardinality(String)),
    outcomes Array(LowCardinality(String)), -- of the relays, in the same order
    journal_sequence UInt64,
    at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (merchant, effect_id, event_id);

-- name: quarantine
-- Input that became no fact: why, and where it was met. The original stays in Kafka.
CREATE TABLE IF NOT EXISTS quarantine
(
    id String,
    reason LowCardinality(String),
    detail String,
    stage LowCardinality(String),
    merchant LowCardinality(String),        -- '' where it is not known
    relay LowCardinality(String),           -- '' where it came by no relay
    topic LowCardinality(String),
    partition Nullable(UInt16),
    offset Nullable(Int64),
    at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(at)
ORDER BY id;

-- name: orders_now
-- One row for each order, as it stands.
CREATE OR REPLACE VIEW orders_now AS SELECT * FROM orders FINAL;

-- name: orders_attention
-- The same, with what wants a person: money taken back, pay-outs that failed, wait for their approval or to be paid, money
-- late or owed, cancellations asked for, and while its order waits, a request that its wallet has forgotten, and ecash
-- that was not taken; '' where nothing does.
CREATE OR REPLACE VIEW orders_attention AS
SELECT *, multiIf(
    payment = 'reversed' AND status IN ('confirmed', 'processing', 'completed'), 'payment_reversed',
    payout = 'failed', 'payout_failed',
    payout = 'wanted', 'payout_to_approve',
    payout = 'approved', 'payout_under_way',
    payment = 'late', 'payment_late',
    payment = 'refund_due', 'refund_due',
    owed_msat > 0, 'surplus_owed',
    cancellation_requested AND status IN ('confirmed', 'processing'), 'cancellation_requested',
    request_forgotten AND status = 'pending', 'request_forgotten',
    token_refused != '' AND status = 'pending', 'token_refused',
    '') AS attention
FROM orders_now;

-- name: inventory_now
-- One row for each listing, as it stands.
CREATE OR REPLACE VIEW inventory_now AS SELECT *, on_hand - held AS available FROM inventory FINAL;

-- name: reviews_now
-- One row for each live review, whether it counts or not (standing); withdrawn ones are left out.
CREATE OR REPLACE VIEW reviews_now AS SELECT * FROM reviews FINAL WHERE NOT withdrawn;

-- name: ratings_now
-- One row for each figure that reviews come to; those without a review are left out.
CREATE OR REPLACE VIEW ratings_now AS SELECT * FROM ratings FINAL WHERE reviews > 0;

-- name: messages_now
-- One row for each message with a person, as it stands.
CREATE OR REPLACE VIEW messages_now AS SELECT * FROM messages FINAL;

-- name: inbox_now
-- One row for each conversation that has a message that was not taken back; it waits while the last word is the buyer's.
CREATE OR REPLACE VIEW inbox_now AS
SELECT merchant, buyer, count() AS messages, max(said_at) AS last_at,
       argMax(author, (said_at, updated_at)) = 'buyer' AS waits,
       argMax(order_ref, (order_ref != '', said_at)) AS order_ref
FROM messages FINAL
WHERE NOT deleted
GROUP BY merchant, buyer;
-- name: payment_choices_now
-- How each shop's new orders are paid, the application it recommends for that, and what is wrong with its preferences.
-- A shop that said nothing yet has no row: its orders are paid by hand.
CREATE OR REPLACE VIEW payment_choices_now AS
SELECT
    merchant,
    argMax(status, (sequence, position)) AS flow,
    argMax(subject, (sequence, position)) AS preference,
    argMax(coordinate, (sequence, position)) AS app,
    argMax(flaws, (sequence, position)) AS flaws,
    max(at) AS since
FROM
(
    SELECT
        merchant, sequence, position, any(status) AS status, any(subject) AS subject, any(coordinate) AS coordinate,
        max(at) AS at, arrayMap(pair -> pair.2, arraySort(groupArrayIf((line, toString(reason)), reason != ''))) AS flaws
    FROM events FINAL
    WHERE type = 'PaymentFlowChosen'
    GROUP BY merchant, sequence, position
)
GROUP BY merchant;

-- name: offers_now
-- One row for each listing, collection, option, draft and relay list as it counts; what was deleted is left out.
CREATE OR REPLACE VIEW offers_now AS SELECT * FROM offers FINAL WHERE NOT withdrawn;

-- name: deliveries_now
-- One row for each message sent.
CREATE OR REPLACE VIEW deliveries_now AS SELECT * FROM deliveries FINAL;

-- name: quarantine_now
-- One row for each quarantined input.
CREATE OR REPLACE VIEW quarantine_now AS SELECT * FROM quarantine FINAL;

-- name: journal_positions
-- The last journal record of each partition that the events reflect.
CREATE OR REPLACE VIEW journal_positions AS
SELECT partition, max(sequence) AS sequence FROM events GROUP BY partition;

-- name: sales
-- One row for each order that was confirmed, or that its merchant went on with: what was owed and what was paid then.
CREATE OR REPLACE VIEW sales AS
SELECT merchant, order_ref, buyer, at, due_msat AS total_msat, amount_msat AS paid_msat
FROM events FINAL
WHERE line = 0 AND (type = 'OrderMoved' AND status = 'confirmed' OR type = 'PaymentImplied');

-- name: sold_lines
-- The lines of every confirmed order, as its last quote priced them; amount_msat is price × quantity, to the nearest msat.
CREATE OR REPLACE VIEW sold_lines AS
SELECT quoted.merchant AS merchant, quoted.order_ref AS order_ref, sold.at AS at, quoted.coordinate AS coordinate,
       quoted.title AS title, quoted.quantity AS quantity, quoted.amount_msat AS amount_msat
FROM
(
    SELECT merchant, order_ref, coordinate, title, quantity, amount_msat,
           (sequence, position) AS place, max((sequence, position)) OVER (PARTITION BY merchant, order_ref) AS last_place
    FROM events FINAL
    WHERE type = 'OrderQuoted' AND line > 0
) AS quoted
INNER JOIN sales AS sold ON sold.merchant = quoted.merchant AND sold.order_ref = quoted.order_ref
WHERE quoted.place = quoted.last_place;

-- name: payments
-- One row for each time a back-end confirmed money, a part of a price too; late came after its order ended or was paid.
CREATE OR REPLACE VIEW payments AS
SELECT merchant, order_ref, buyer, at, subject AS intent_id, amount_msat AS gross_msat, due_msat, reason = 'late' AS late
FROM events FINAL
WHERE type IN ('PaymentSettled', 'PaymentPartReceived');

-- name: reversals
-- One row for each payment that was taken back, and how the order's payment stood then.
CREATE OR REPLACE VIEW reversals AS
SELECT merchant, order_ref, buyer, at, subject AS intent_id, amount_msat, status AS payment
FROM events FINAL
WHERE type = 'PaymentReversed';

-- name: refunds
-- One row for each refund that a merchant recorded.
CREATE OR REPLACE VIEW refunds AS
SELECT merchant, order_ref, buyer, at, amount_msat, reason AS rail, subject AS reference
FROM events FINAL
WHERE type = 'RefundRecorded';

-- name: unassigned_payments
-- One row for each payment over a shop's own lightning address that nobody has said anything of yet.
CREATE OR REPLACE VIEW unassigned_payments AS
SELECT merchant, subject AS intent_id, min(at) AS paid_at, sumIf(amount_msat, type = 'AddressPaid') AS amount_msat
FROM events FINAL
WHERE type IN ('AddressPaid', 'AddressReversed', 'AddressAssigned', 'AddressClosed')
GROUP BY merchant, subject
HAVING countIf(type != 'AddressPaid') = 0;

-- name: ledger
-- Money in double entry: two rows for each fact that moves any, of one sum, so that every account's rows add up to
-- nothing over all accounts. wallet: what back-ends hold; orders: what is there for orders; address: what came over the
-- shop's own address and is nobody's; paid_out: what was given back; borne: what the merchant answers for; kept.
CREATE OR REPLACE VIEW ledger AS
SELECT merchant, at, partition, sequence, position, type AS cause, order_ref, subject, account, msat
FROM
(
    SELECT merchant, at, partition, sequence, position, type, order_ref, subject, amount_msat,
        multiIf(
            type IN ('PaymentSettled', 'PaymentPartReceived'), ['wallet', 'orders'],
            type = 'PaymentReversed', ['orders', 'wallet'],
            type = 'PaymentImplied', ['borne', 'orders'],
            type = 'RefundRecorded', ['orders', 'paid_out'],
            type = 'AddressPaid', ['wallet', 'address'],
            type IN ('AddressReversed', 'AddressAssigned'), ['address', 'wallet'],
            reason = 'kept', ['address', 'kept'],
            ['address', 'paid_out']) AS accounts
    FROM events FINAL
    WHERE line = 0 AND amount_msat != 0 AND type IN
        ('PaymentSettled', 'PaymentPartReceived', 'PaymentReversed', 'PaymentImplied', 'RefundRecorded',
         'AddressPaid', 'AddressReversed', 'AddressAssigned', 'AddressClosed')
)
ARRAY JOIN accounts AS account, [amount_msat, -amount_msat] AS msat;

-- name: payment_requests
-- One row for each payment request a buyer was sent.
CREATE OR REPLACE VIEW payment_requests AS
SELECT merchant, order_ref, buyer, at, subject AS intent_id, amount_msat
FROM events FINAL
WHERE type = 'PaymentRequested';

-- name: order_times
-- When each order reached each stage for the first time; NULL where it has not.
-- The first time is the same however often a row is there, so this view does without FINAL.
CREATE OR REPLACE VIEW order_times AS
SELECT
    merchant, order_ref, any(buyer) AS buyer,
    min(at) AS placed_at,
    minOrNullIf(at, type = 'OrderQuoted') AS quoted_at,
    minOrNullIf(at, type = 'PaymentRequested') AS requested_at,
    minOrNullIf(at, type = 'PaymentSettled' AND reason != 'late') AS paid_at,
    minOrNullIf(at, type = 'OrderMoved' AND status = 'confirmed') AS confirmed_at,
    minOrNullIf(at, type = 'ShippingMoved' AND status = 'shipped') AS shipped_at,
    minOrNullIf(at, type = 'ShippingMoved' AND status = 'delivered') AS delivered_at,
    minOrNullIf(at, type = 'OrderMoved' AND status = 'completed') AS completed_at,
    minOrNullIf(at, type = 'OrderRejected') AS rejected_at,
    minOrNullIf(at, type = 'OrderMoved' AND status = 'expired') AS expired_at,
    minOrNullIf(at, type = 'OrderMoved' AND status = 'failed') AS failed_at,
    minOrNullIf(at, type = 'OrderMoved' AND status = 'cancelled') AS cancelled_at
FROM events
WHERE line = 0 AND type IN
    ('OrderPlaced', 'OrderQuoted', 'PaymentRequested', 'PaymentSettled', 'OrderMoved', 'ShippingMoved', 'OrderRejected')
GROUP BY merchant, order_ref
HAVING countIf(type = 'OrderPlaced') > 0;

-- name: order_history
-- Everything the journal says of an order, in its order; give the merchant too, it is the key.
CREATE OR REPLACE VIEW order_history AS
SELECT merchant, order_ref, at, partition, sequence, position, line, type, status, reason, actor,
       coordinate, title, quantity, amount_msat, due_msat, subject
FROM events FINAL
WHERE order_ref != ''
ORDER BY partition, sequence, position, line;

-- name: stock_movements
-- The stock ledger: every movement with its cause and both deltas, so that their sums are what is held and on hand.
-- A base ('set') counts from the base before it; where stock is not tracked, nothing is on hand to move.
CREATE OR REPLACE VIEW stock_movements AS
WITH
moves AS
(
    SELECT
        merchant, coordinate, at, partition, sequence, position, line, order_ref, subject, quantity,
        transform(type, ['StockSet', 'StockHeld', 'StockReleased', 'StockCommitted'],
                  ['set', 'hold', 'release', 'commit'], '') AS movement,
        countIf(type = 'StockSet') OVER so_far AS base_number
    FROM events FINAL
    WHERE type IN ('StockSet', 'StockHeld', 'StockReleased', 'StockCommitted') AND coordinate != ''
    WINDOW so_far AS (PARTITION BY merchant, coordinate ORDER BY partition, sequence, position, line
                      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
balances AS
(
    SELECT
        *,
        maxIf(quantity, movement = 'set') OVER (PARTITION BY merchant, coordinate, base_number)
            - sumIf(assumeNotNull(quantity), movement = 'commit') OVER
                (PARTITION BY merchant, coordinate, base_number ORDER BY partition, sequence, position, line
                 ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS on_hand
    FROM moves
)
SELECT
    merchant, coordinate, at, partition, sequence, position, line, movement, order_ref, subject, quantity, on_hand,
    ifNull(on_hand, 0) - lagInFrame(ifNull(on_hand, 0), 1, 0) OVER
        (PARTITION BY merchant, coordinate ORDER BY partition, sequence, position, line
         ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS on_hand_delta,
    multiIf(movement = 'hold', assumeNotNull(quantity),
            movement IN ('release', 'commit'), -assumeNotNull(quantity), 0) AS held_delta
FROM balances;
