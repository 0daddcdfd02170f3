"""What follows: the decider, its followers, and the pure domain they carry."""
