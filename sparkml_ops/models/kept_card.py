"""The card of a version, kept beside its model: whole as a file of the run, the beginning as the version's description."""

from sparkml_ops.models.experiments import log_text
from sparkml_ops.models.registry import ModelVersion
from sparkml_ops.models.tracking import Tracking

CARD_FILE = "card.md"
LONGEST_DESCRIPTION = 5000  # characters: MLflow's registry takes no more
_CUT = f"\n\n… cut here; the whole card is {CARD_FILE}, beside the run's files.\n"


def keep_card(tracking: Tracking, version: ModelVersion, card: str) -> None:
    """Keep a version's card, once: the file first, then the description, so that a kill in between is made up for by the next call."""
    if tracking.client.get_model_version(version.name, str(version.version)).description:
        return
    log_text(tracking, version.run_id, CARD_FILE, card)
    tracking.client.update_model_version(version.name, str(version.version), description=shorten_card(card))


def shorten_card(card: str) -> str:
    """The beginning of a card, whole lines, as much as a description takes."""
    if len(card) <= LONGEST_DESCRIPTION:
        return card
    kept = card[: LONGEST_DESCRIPTION - len(_CUT)]
    whole_lines = kept[: kept.rfind("\n")] if "\n" in kept else kept
    return whole_lines.rstrip() + _CUT
