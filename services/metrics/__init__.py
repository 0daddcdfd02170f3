"""ClickHouse: what the journal says as tables, one writer, and a door for read-only questions."""
