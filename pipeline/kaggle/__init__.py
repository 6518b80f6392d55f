"""The submission file."""
