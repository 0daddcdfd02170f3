"""The market spec's public events as values: read tolerantly with warnings, written strictly."""
