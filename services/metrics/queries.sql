-- name: sales_by_day
-- Confirmed orders of a period by UTC day: how many, what was owed, what was paid, and how much of it was cancelled again.
SELECT
    toDate(s.at) AS day,
    count() AS orders,
    sum(s.total_msat) AS total_msat,
    sum(s.paid_msat) AS paid_msat,
    sumIf(ifNull(s.paid_msat, 0), (s.merchant, s.order_ref) IN
    (
        SELECT merchant, order_ref FROM events
        WHERE type = 'OrderMoved' AND status = 'cancelled'
          AND (empty({merchant:String}) OR merchant = {merchant:String})
    )) AS refund_due_msat
FROM sales AS s
WHERE (empty({merchant:String}) OR s.merchant = {merchant:String})
  AND s.at >= {since:DateTime64(3, 'UTC')} AND s.at < {until:DateTime64(3, 'UTC')}
GROUP BY day
ORDER BY day;

-- name: revenue_by_merchant
-- Confirmed orders of a period by merchant, the highest revenue first; buyers are counted by their keyed hash.
SELECT
    merchant,
    count() AS orders,
    uniqExact(buyer) AS buyers,
    sum(total_msat) AS total_msat,
    sum(paid_msat) AS paid_msat
FROM sales
WHERE at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
GROUP BY merchant
ORDER BY paid_msat DESC, merchant;

-- name: conversion_funnel
-- How far the orders placed in a period came, and how the others ended.
SELECT
    count() AS placed,
    countIf(quoted_at IS NOT NULL) AS quoted,
    countIf(requested_at IS NOT NULL) AS requested,
    countIf(confirmed_at IS NOT NULL) AS confirmed,
    countIf(shipped_at IS NOT NULL OR delivered_at IS NOT NULL) AS shipped,
    countIf(completed_at IS NOT NULL) AS completed,
    countIf(rejected_at IS NOT NULL) AS rejected,
    countIf(expired_at IS NOT NULL) AS expired,
    countIf(failed_at IS NOT NULL) AS failed,
    countIf(cancelled_at IS NOT NULL) AS cancelled,
    if(placed = 0, NULL, round(confirmed / placed, 4)) AS conversion
FROM order_times
WHERE (empty({merchant:String}) OR merchant = {merchant:String})
  AND placed_at >= {since:DateTime64(3, 'UTC')} AND placed_at < {until:DateTime64(3, 'UTC')};

-- name: time_to_pay
-- From the first payment request to the payment, for orders placed in a period: exact percentiles in milliseconds.
SELECT
    count() AS orders,
    quantileExact(0.5)(took_ms) AS p50_ms,
    quantileExact(0.9)(took_ms) AS p90_ms,
    quantileExact(0.99)(took_ms) AS p99_ms
FROM
(
    SELECT dateDiff('millisecond', requested_at, paid_at) AS took_ms
    FROM order_times
    WHERE (empty({merchant:String}) OR merchant = {merchant:String})
      AND placed_at >= {since:DateTime64(3, 'UTC')} AND placed_at < {until:DateTime64(3, 'UTC')}
      AND requested_at IS NOT NULL AND paid_at IS NOT NULL
);

-- name: time_to_ship
-- From confirmation to the first shipped (or delivered) update, for orders placed in a period: percentiles in milliseconds.
SELECT
    count() AS orders,
    quantileExact(0.5)(took_ms) AS p50_ms,
    quantileExact(0.9)(took_ms) AS p90_ms,
    quantileExact(0.99)(took_ms) AS p99_ms
FROM
(
    SELECT dateDiff('millisecond', confirmed_at, coalesce(shipped_at, delivered_at)) AS took_ms
    FROM order_times
    WHERE (empty({merchant:String}) OR merchant = {merchant:String})
      AND placed_at >= {since:DateTime64(3, 'UTC')} AND placed_at < {until:DateTime64(3, 'UTC')}
      AND confirmed_at IS NOT NULL AND coalesce(shipped_at, delivered_at) IS NOT NULL
);

-- name: orders_by_status
-- How many orders stand where, on all three axes; those from before the shop came here are left out.
SELECT status, payment, shipping, count() AS orders
FROM orders_now
WHERE (empty({merchant:String}) OR merchant = {merchant:String}) AND reason != 'past'
GROUP BY status, payment, shipping
ORDER BY orders DESC, status, payment, shipping;

-- name: stock_on_hand
-- Stock of every listing for sale, the least available first; untracked listings come last.
SELECT merchant, coordinate, title, on_hand, held, available, sold
FROM inventory_now
WHERE (empty({merchant:String}) OR merchant = {merchant:String}) AND NOT withdrawn
ORDER BY available ASC NULLS LAST, merchant, coordinate;

-- name: ledger_check
-- Σ movements against the inventory table, at the record each row reflects; agrees is 1 everywhere or a bug is found.
-- Rows the events have not caught up with yet are left out.
SELECT
    i.merchant AS merchant, i.coordinate AS coordinate,
    ifNull(any(i.on_hand), 0) AS table_on_hand,
    sumIf(m.on_hand_delta, m.sequence <= i.sequence) AS ledger_on_hand,
    any(i.held) AS table_held,
    sumIf(m.held_delta, m.sequence <= i.sequence) AS ledger_held,
    table_on_hand = ledger_on_hand AND table_held = ledger_held AS agrees
FROM inventory_now AS i
INNER JOIN journal_positions AS p ON p.partition = i.partition
LEFT JOIN stock_movements AS m ON m.merchant = i.merchant AND m.coordinate = i.coordinate
WHERE (empty({merchant:String}) OR i.merchant = {merchant:String}) AND i.sequence <= p.sequence
GROUP BY i.merchant, i.coordinate
ORDER BY agrees, merchant, coordinate;

-- name: stock_outs
-- Listings that ran out in a period: when nothing was on hand any more, and how often.
SELECT merchant, coordinate, count() AS times, max(at) AS last_at
FROM stock_movements
WHERE (empty({merchant:String}) OR merchant = {merchant:String})
  AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
  AND on_hand <= 0 AND on_hand_delta < 0
GROUP BY merchant, coordinate
ORDER BY times DESC, merchant, coordinate;

-- name: top_items
-- What sold best in a period, by units; amount_msat leaves out lines whose currency had no rate.
SELECT merchant, coordinate, argMax(title, at) AS title, sum(quantity) AS units, uniqExact(order_ref) AS orders,
       sum(amount_msat) AS amount_msat
FROM sold_lines
WHERE (empty({merchant:String}) OR merchant = {merchant:String})
  AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
GROUP BY merchant, coordinate
ORDER BY units DESC, merchant, coordinate
LIMIT 50;

-- name: reviews_by_product
-- Reviews that count of each product: how many, by whom with a completed order, the mean score, and the strict one.
SELECT
    merchant, product,
    count() AS reviews,
    countIf(is_verified) AS verified,
    toDecimal64(round(sum(score) / count(), 4), 4) AS mean_score,
    toDecimal64(round(sum(strict_score) / count(), 4), 4) AS mean_strict_score
FROM reviews_now
WHERE (empty({merchant:String}) OR merchant = {merchant:String}) AND standing = 'counts'
GROUP BY merchant, product
ORDER BY reviews DESC, merchant, product;

-- name: ratings_by_level
-- What reviews come to by product, by variable product with its variations, and by shop: overall and by category.
SELECT merchant, level, target, category, reviews, verified, mean, stars
FROM ratings_now
WHERE (empty({merchant:String}) OR merchant = {merchant:String})
ORDER BY level, reviews DESC, target, category = '' DESC, category;

-- name: ratings_check
-- The figures against the reviews they are made of, added up anew; agrees is 1 everywhere or a bug is found.
-- Both tables reach us apart, so look again before you believe it.
WITH said AS
(
    SELECT
        merchant, level, target, name AS category, is_verified,
        if(name = '', score, category_scores[indexOf(categories, name)]) AS share
    FROM reviews_now
    ARRAY JOIN
        ['product', 'merchant', if(parent = '', '', 'parent')] AS level,
        [product, merchant, parent] AS target
    ARRAY JOIN arrayPushFront(categories, '') AS name
    WHERE standing = 'counts' AND level != ''
),
added AS
(
    SELECT merchant, level, target, category, count() AS reviews, countIf(is_verified) AS verified, sum(share) AS total
    FROM said
    GROUP BY merchant, level, target, category
)
SELECT
    if(empty(r.merchant), a.merchant, r.merchant) AS merchant,
    if(empty(r.level), a.level, toString(r.level)) AS level,
    if(empty(r.target), a.target, r.target) AS target,
    if(empty(r.category), a.category, r.category) AS category,
    r.reviews AS rated, a.reviews AS counted, r.total AS rated_total, a.total AS counted_total,
    r.reviews = a.reviews AND r.verified = a.verified AND r.total = a.total AS agrees
FROM ratings_now AS r
FULL OUTER JOIN added AS a
    ON a.merchant = r.merchant AND a.level = r.level AND a.target = r.target AND a.category = r.category
WHERE (empty({merchant:String}) OR r.merchant = {merchant:String} OR a.merchant = {merchant:String})
ORDER BY agrees, merchant, level, target, category;

-- name: refusals_by_reason
-- Orders turned down and moves refused in a period, by their first reason.
SELECT type, reason, count() AS refusals, uniqExact(order_ref) AS orders
FROM events FINAL
WHERE type IN ('OrderRejected', 'MoveRefused') AND line = 0
  AND (empty({merchant:String}) OR merchant = {merchant:String})
  AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
GROUP BY type, reason
ORDER BY refusals DESC, type, reason;

-- name: quarantine_by_reason
-- Input of a period that became no fact, by stage and reason.
SELECT stage, reason, count() AS inputs, max(at) AS last_at
FROM quarantine_now
WHERE at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
GROUP BY stage, reason
ORDER BY inputs DESC, stage, reason;

-- name: deliveries_by_outcome
-- What became of the messages of a period, by kind and state.
SELECT what, state, count() AS messages, countIf(compat_route) AS by_compat_route
FROM deliveries_now
WHERE (empty({merchant:String}) OR merchant = {merchant:String})
  AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
GROUP BY what, state
ORDER BY messages DESC, what, state;

-- name: relay_outcomes
-- What each relay answered to the messages of a period.
SELECT relay, outcome, count() AS answers
FROM deliveries_now
ARRAY JOIN relays AS relay, outcomes AS outcome
WHERE (empty({merchant:String}) OR merchant = {merchant:String})
  AND at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
GROUP BY relay, outcome
ORDER BY relay, answers DESC, outcome;
