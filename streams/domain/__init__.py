"""The business, pure: no clock, no randomness, no input or output. `decide` holds every rule, `evolve` none."""
