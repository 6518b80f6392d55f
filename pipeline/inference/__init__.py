"""From a trained ensemble to probability maps."""
