"""Adam with warm-up, cosine decay and a rate of its own for the encoder."""

import re

import keras


class EncoderAdam(keras.optimizers.Adam):
    """Adam that trains the encoder at a share of the rate, weight decay included.

    A gradient scaled down would not do: Adam divides by the gradient's size.

    Parameters
    ----------
    encoder_rate : float
        Share of the learning rate for the convolutions of VGG-16.
    **options
        Of `keras.optimizers.Adam`.
    """

    def __init__(self, *, encoder_rate: float, **options) -> None:
        super().__init__(**options)
        self.encoder_rate = encoder_rate

    def build(self, variables) -> None:
        """Note the share of each variable."""
        super().build(variables)
        self._decay = self.weight_decay
        self._shares = [
            self.encoder_rate if re.search(r"(^|/)block\d_conv", variable.path) else 1.0
            for variable in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        """Update one variable."""
        super().update_step(gradient, variable, learning_rate * self._share(variable))

    def _share(self, variable) -> float:
        return self._shares[self._get_variable_index(variable)]

    def _apply_weight_decay(self, variables) -> None:
        """Keras decays before the update, by the whole rate: let it, once for each share."""
        if self._decay is None:
            return
        for share in sorted({self._share(variable) for variable in variables}):
            # Replicas take turns in here, so none may read what another has set.
            self.weight_decay = self._decay * share
            super()._apply_weight_decay([v for v in variables if self._share(v) == share])
        self.weight_decay = self._decay


def make_optimizer(
    *,
    steps: int,
    warmup_steps: int,
    learning_rate: float,
    encoder_rate: float,
    clip_norm: float | None,
    ema: float | None,
    weight_decay: float | None,
) -> keras.optimizers.Optimizer:
    """Return Adam whose rate rises linearly for `warmup_steps`, then falls to 0 as a cosine.

    Parameters
    ----------
    steps : int
        Training steps in all.
    warmup_steps : int
        Of these, steps of the rise.
    learning_rate : float
        The peak.
    encoder_rate : float
        The encoder's share of the rate.
    clip_norm : float, optional
        Largest norm of the gradient of all variables together.
    ema : float, optional
        Momentum of an exponential moving average of the weights, such as 0.99.
    weight_decay : float, optional
        Share of each kernel that is taken off at a step, times the rate.

    References
    ----------
    Loshchilov, Hutter, *SGDR*, 2017, and *Decoupled weight decay regularization*, 2019.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else learning_rate,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
        decay_steps=steps - warmup_steps,
    )
    optimizer = EncoderAdam(
        encoder_rate=encoder_rate,
        learning_rate=schedule,
        global_clipnorm=clip_norm,
        use_ema=ema is not None,
        ema_momentum=ema if ema is not None else 0.99,
        weight_decay=weight_decay,
    )
    if weight_decay is not None:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
