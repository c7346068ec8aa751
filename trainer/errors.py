"""What a user can mend: the command line prints the text of a TrainerError, one sentence, without a traceback."""

from __future__ import annotations


class TrainerError(Exception):
    """Base of all errors a user can cause or mend."""


class ConfigError(TrainerError):
    """An argument is out of its bounds, or doesn't go with another."""


class DataError(TrainerError):
    """A packed dataset is missing, damaged, or not what its manifest or the model says."""


class CheckpointError(TrainerError):
    """A checkpoint can't be read, or belongs to another run."""


class Diverged(TrainerError):
    """The loss or the gradient is no longer a finite number."""
