"""Exchange rates: a table pinned by the operator, and live ones that several sources agree on (C-07)."""
