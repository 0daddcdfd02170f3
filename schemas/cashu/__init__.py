"""Ecash as Cashu's NUTs define it: tokens, keysets, blinding, locks and requests, all without a mint at hand."""
