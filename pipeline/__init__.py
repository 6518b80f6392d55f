"""From raw frames to ``submission.csv``: a pipeline for binary-mask competitions."""
