"""The command line: `ncc`."""
