"""What is said: contracts and codecs, without clock, randomness or input/output."""
