"""What touches the world: relays, wallets, partners, the store of answers."""
