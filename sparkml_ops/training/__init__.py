"""Search space, distributed tuning, evaluation -> a registered candidate."""

from sparkml_ops.training.train import TrainResult, hash_training, train

__all__ = ["TrainResult", "hash_training", "train"]
