"""What a binary mask is: run lengths, the metric, cleaning and tuning. NumPy and scikit-image."""
