"""The auditor: independent books over the journal."""
