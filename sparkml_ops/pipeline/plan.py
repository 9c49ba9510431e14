"""What would run, and why: read from the ledger and the tables, changing nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.features import hash_dataset, hash_view
from sparkml_ops.lake import Lake, StepRun
from sparkml_ops.monitoring import hash_monitoring
from sparkml_ops.pipeline.known import Known, read_known
from sparkml_ops.pipeline.steps import STAGES, Step, list_steps
from sparkml_ops.training import check_model, hash_training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkml_ops.config.use_case import UseCase


@dataclass(frozen=True)
class PlannedStep:
    """A step, and whether it would run.

    Attributes:
        step: the step.
        runs: whether it would.
        reason: why, or why not.
    """

    step: Step
    runs: bool
    reason: str


@dataclass(frozen=True)
class Plan:
    """All steps in order."""

    steps: tuple[PlannedStep, ...]

    @property
    def has_changes(self) -> bool:
        """Whether anything would run."""
        return any(planned.runs for planned in self.steps)


def plan(use_case: "UseCase", lake: Lake, *, from_stage: str | None = None, to_stage: str | None = None) -> Plan:
    """Find out which steps would run now, and why.

    Args:
        use_case: the configuration.
        lake: where the tables are.
        from_stage: run this stage and those after it, changed or not.
        to_stage: leave out the stages after it.

    Raises:
        ContractError: landed files changed after they were ingested.
        ConfigError: the model is to be trained and cannot be, by what is said of it.
        SetupError: no files at a source's path.
    """
    last = STAGES.index(to_stage) if to_stage else len(STAGES)
    steps = [step for step in list_steps(use_case) if STAGES.index(step.stage) <= last]
    decided = decide_plan(use_case, steps, read_known(use_case, lake, steps), from_stage=from_stage)
    if any(planned.runs for planned in decided.steps if planned.step.stage == "train"):
        check_model(use_case)  # before hours of work that ends there
    return decided


def decide_plan(use_case: "UseCase", steps: "Sequence[Step]", known: Known, *, from_stage: str | None = None) -> Plan:
    """Decide for each step, from what is known alone."""
    planned = dict[str, PlannedStep]()
    for step in steps:
        reason = _forced(step, from_stage) or _find_reason(use_case, step, known=known, planned=planned)
        planned[step.name] = PlannedStep(step, reason is not None, reason or "nothing changed")
    return Plan(tuple(planned.values()))


def _forced(step: Step, from_stage: str | None) -> str | None:
    if from_stage is None or step.stage == "ingest":
        return None  # taking in what was taken in already has a switch of its own: `ingest --full`
    return f"asked for by --from {from_stage}" if STAGES.index(step.stage) >= STAGES.index(from_stage) else None


def _find_reason(use_case: "UseCase", step: Step, *, known: Known, planned: Mapping[str, PlannedStep]) -> str | None:
    if step.stage == "ingest":
        batch = known.batches[str(step.subject)]
        return None if batch is None else f"{batch.reason} (files: {len(batch.files)}, batch {batch.batch_id})"
    if step.stage == "monitor" and _is_held(known.ledger, planned):
        return None
    before = [name for name in step.follows if name in planned and planned[name].runs]
    if before:
        return f"follows {', '.join(before[:3])}" + (", …" if len(before) > 3 else "")  # noqa: PLR2004
    last = known.ledger.get(step.name)
    if last is None:
        return "never ran"
    if last.config_hash != hash_step(use_case, step):
        return "its configuration changed"
    return _find_moved(last, known) or _find_other_model(step, last, known)


def _is_held(ledger: Mapping[str, StepRun], planned: Mapping[str, PlannedStep]) -> bool:
    """Whether the newest batch was held, so that there is nothing new to watch."""
    will_score = "score" in planned and planned["score"].runs
    return not will_score and "score" in ledger and ledger["score"].status == "refused"


def hash_step(use_case: "UseCase", step: Step) -> str:
    """The hash that the step's verb writes to the ledger."""
    match step.stage:
        case "features":
            return hash_view(use_case.features[str(step.subject)])
        case "dataset":
            return hash_dataset(use_case)
        case "train":
            return hash_training(use_case)
        case "promote":
            return hash_config(use_case.gates)
        case "score":
            return hash_config(use_case.scoring)
        case _:
            return hash_monitoring(use_case)


def _find_moved(last: StepRun, known: Known) -> str | None:
    """Inputs whose rows are not those that were read, and outputs that are gone or were taken back."""
    for table, version in last.inputs.items():
        now = known.versions[table]
        has_other_rows = now is None or now < version or known.changes.get(table, now) > version
        if table != "predictions" and has_other_rows:
            return f"{table} is at {_show(now)}, and v{version} was read"
    for table, version in last.outputs.items():
        now = known.versions[table]
        if now is None or now < version:
            return f"{table} is at {_show(now)}, and v{version} was written"
    return None


def _find_other_model(step: Step, last: StepRun, known: Known) -> str | None:
    wanted = None
    if step.stage == "promote" and "train" in known.ledger:
        wanted = known.ledger["train"].model_version
    if step.stage == "score":
        wanted = known.champion
    if wanted is None or wanted == last.model_version:
        return None
    return f"version {wanted} of the model is {'new' if step.stage == 'promote' else 'the champion'}"


def _show(version: int | None) -> str:
    return "no version: it is gone" if version is None else f"v{version}"


def describe_plan(steps: "Sequence[PlannedStep]") -> list[str]:
    """One line a step, for people."""
    width = max((len(planned.step.name) for planned in steps), default=0)
    return [f"{'run ' if p.runs else 'skip'}  {p.step.name:<{width}}  {p.reason}" for p in steps]
