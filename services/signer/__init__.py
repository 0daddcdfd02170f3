"""The keeper of merchants' keys: everything that needs a secret is asked of it, nothing gets the secret (D8)."""
