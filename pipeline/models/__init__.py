"""Networks and losses. Keras only, no call into a backend."""
