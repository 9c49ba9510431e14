"""Search space, distributed tuning, evaluation -> a registered candidate."""

from sparkml_ops.training.reproduce import ReproduceResult, reproduce
from sparkml_ops.training.train import TrainResult, hash_training, train

__all__ = ["ReproduceResult", "TrainResult", "hash_training", "reproduce", "train"]
