"""The order of the stages: what would run and why, and the run itself."""

from sparkml_ops.pipeline.plan import Plan, PlannedStep, describe_plan, plan
from sparkml_ops.pipeline.run import RunResult, StepOutcome, run
from sparkml_ops.pipeline.steps import STAGES, Step, list_steps

__all__ = [
    "STAGES",
    "Plan",
    "PlannedStep",
    "RunResult",
    "Step",
    "StepOutcome",
    "describe_plan",
    "list_steps",
    "plan",
    "run",
]
