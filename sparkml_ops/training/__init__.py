"""Search space, distributed tuning, evaluation -> a registered candidate."""

from sparkml_ops.training.backtest import BacktestResult, WindowResult, backtest
from sparkml_ops.training.backtest_windows import BacktestPlan, check_plan
from sparkml_ops.training.check import check_model
from sparkml_ops.training.compare import TrainingComparison, compare_trainings
from sparkml_ops.training.reproduce import ReproduceResult, reproduce
from sparkml_ops.training.train import TrainResult, hash_training, train

__all__ = [
    "BacktestPlan",
    "BacktestResult",
    "ReproduceResult",
    "TrainResult",
    "TrainingComparison",
    "WindowResult",
    "backtest",
    "check_model",
    "check_plan",
    "compare_trainings",
    "hash_training",
    "reproduce",
    "train",
]
