"""The composition root: each role built from its parts, one module a role, imported only by its own process."""
