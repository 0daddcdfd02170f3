"""Other people's wallets that a story is paid with: real servers, or services that speak a real protocol."""
