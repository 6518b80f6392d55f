"""Fitting a network on one fold."""
