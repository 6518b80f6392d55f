"""What a network of this project gives."""

import keras


def count_classes(model: keras.Model) -> int:
    """Return how many masks a network predicts for a frame."""
    output = model.output["mask"] if isinstance(model.output, dict) else model.output
    return output.shape[-1]
