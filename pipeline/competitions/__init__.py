"""Competitions as data: file layout, submission format, metric."""
