"""The demo: a merchant's client and a buyer's client, scripted, against a real stack."""
