"""What the design promises, measured on this machine: `python -m bench`."""
