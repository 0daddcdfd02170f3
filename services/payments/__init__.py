"""How money is asked for and looked up: one port, and a module for each kind of wallet behind it."""
