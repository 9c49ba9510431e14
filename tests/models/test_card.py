"""A card tells what is recorded, and no more; no name breaks it; it is kept with its version."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sparkml_ops.models import (
    FeatureEncoder,
    ModelVersion,
    PackagedModel,
    Tracking,
    find_version,
    keep_card,
    open_experiment,
    register_model,
    shorten_card,
    start_run,
    write_card,
)
from sparkml_ops.models.markdown import escape_paragraphs, escape_text, make_table, quote_cell, quote_code
from tests.card_sample import HOSTILE, figure, make_card_model, make_facts, make_version

BARE = PackagedModel("shop", "binary", "lightgbm", FeatureEncoder(()), None, {})


def test_the_card_tells_what_is_recorded() -> None:
    card = write_card(make_version(), make_card_model())
    for told in (
        "# shop, version 3\n", "**Description:** Will orders be returned?", "**Owner:** orders", "the probability of `returned = 'orders'`",
        "2024-03-01 06:12:00 UTC, by the code `0.1.0+abc`", "2024-03-01 06:30:00 UTC, from the MLflow run `rrrr",
        "To plan the day of orders.\n\nNot to judge people.", "Orders from abroad were not looked at.",
        "| `roc_auc` | 0.8100 (0.7900 to 0.8300) | 0.8200 (0.8000 to 0.8400) | 0.5000 |",
        "On 3,000 rows of the part test, with 290 positives, of 61 days.", "| 10 | 300 | 0.1000 | 0.1100 |",
        "| train | fitted on | 9,000 | 900 | 10.00% | 2023-01-01 00:00:00 UTC | 2023-08-31 23:59:00 UTC |",
        "| `orders__amount` | number | `12.5`, and a flag | free | 75.00% |",
        "| `orders__town` | text, 2 levels, others together | `orders` | free | 25.00% |",
        "| `hour` | number | left missing | increasing | 0.00% |",
        "| `orders` | the same value in all training rows: orders |", "**Class weights:** `0: 1, 1: 4`", "**Boosting rounds:** 123",
        "hyperopt tpe, seed 7: 40 trials at most, 18 made, 2 failed, 1 cancelled", "| `num_leaves` | `31` |",
        "`sparkml-ops reproduce shop@3` trains on the training set `ts-1` with the seed 7", "| `lightgbm` | `4.7.0` |",
        "Positive from 0.1875 on: the least cost on the part valid (true positive 0, false positive 1, false negative 5, true negative 0).",
        "Of the part test, in rows: 200 true positive, 700 false positive, 90 false negative, 2,010 true negative.",
        "| cost per row | 0.3833 (0.3500 to 0.4100) |", "| 10% | 18.2% | 1.82 |", "| 100% | 100.0% | 1.00 |",
        "(Shapley values), on 2,000 rows.", "| `orders__amount` | 0.5000 |", "And 2 more.", "- there is little of orders. To try: take more",
        "The champion was version 2 when this one was trained: version 2 was fitted on 40 of the test rows of orders.",
        "| `orders` | lower | 12.5000 (11.0000 to 14.0000) | 13.0000 | \N{EN DASH} |",
        "- `orders`: what orders cost; the sum of `label * orders`, divided by the sum of `label`",
        "| `town=orders` | 900 | 80 | 0.7000 (0.6600 to 0.7400) | -0.1200 (-0.1600 to -0.0800) | 0.000 | worse |\n| `town=Bonn`",
        "On the part test, 3 slices", "**Rows per second and core:** 24,000\n", "**Most memory of a Python worker:** 212 MB",
        "**Measured:** once, on 3,000 rows, 2 tasks at a time; Linux orders",
    ):  # fmt: skip
        assert told in card, told


def test_limits_follow_from_what_is_recorded() -> None:
    card = write_card(make_version(), make_card_model())
    for told in (
        "- By `roc_auc` it is no better than a linear model.", "- 2 of 18 trials failed.", "- The search ended early, after 18 of at most 40 trials.",
        "- Columns of the training set that are no part of it: 1; see below.", "- Classes were weighed",
    ):  # fmt: skip
        assert told in card, told
    assert "than the base rate" not in card
    few = {"rows": 30, "positives": 3, "days": 3, "reason": "3 days, at least 5 are needed"}
    nowhere = {"candidate": {"roc_auc": figure(0.4)}, "linear": {}, "trivial": {"roc_auc": figure(0.5)}}
    worse = write_card(make_version(), make_card_model(judged_on=few, figures=nowhere))
    assert "- Figures or intervals are missing: 3 days, at least 5 are needed" in worse
    assert "- By `roc_auc` it is no better than the base rate." in worse
    sound = {"search": {"trials": 40, "failed": 0, "max_trials": 40}, "left_out": {}, "class_weight": None}
    better = {"figures": make_facts()["figures"] | {"linear": {"roc_auc": figure(0.7)}}}
    assert "From what is recorded none follows." in write_card(make_version(), make_card_model(**sound, **better))


def test_a_loss_is_better_when_it_is_lower() -> None:
    figures = {
        "candidate": {"log_loss": figure(0.3)},
        "linear": {"log_loss": figure(0.2)},
        "trivial": {"log_loss": figure(0.4)},
    }
    card = write_card(make_version(), make_card_model(metric="log_loss", figures=figures))
    assert "By `log_loss` it is no better than a linear model." in card
    assert "than the base rate" not in card


def test_what_is_not_recorded_is_said_and_not_made_up() -> None:
    card = write_card(make_version(config_hash="", code_version=""), BARE)
    assert card.count("not recorded") > 10
    assert card.count("not stated") == 4
    assert "Training set not recorded; nothing more is recorded of it." in card
    assert not re.search(r"\bNone\b|\bnan\b|\{|\}", card)
    assert write_card(make_version(), make_card_model(monotone=None)).count("| not recorded |") == 3


def test_no_value_of_personal_data_is_told() -> None:
    card = write_card(make_version(), make_card_model(personal=["orders__amount", "orders__town"]))
    assert "| `orders__amount` | number | a value that is personal data, and a flag |" in card
    assert "| `orders__town` | text, 2 levels, others together | a value that is personal data |" in card


def test_the_same_facts_give_the_same_card() -> None:
    first, again = (write_card(make_version(), make_card_model()) for _ in range(2))
    assert first == again
    assert first == write_card(make_version(aliases=("champion",)), make_card_model())  # an alias moves, a card stays


def test_no_name_breaks_a_table_or_steers_a_terminal() -> None:
    card = write_card(make_version(), make_card_model(HOSTILE))
    plain = write_card(make_version(), make_card_model())
    assert [line.count("|") - line.count(r"\|") for line in card.split("\n") if line.startswith("| ")] == [
        line.count("|") for line in plain.split("\n") if line.startswith("| ")
    ]
    assert [line for line in card.split("\n") if line.startswith("#")] == [
        line for line in plain.split("\n") if line.startswith("#")
    ]
    assert all(char.isprintable() or char == "\n" for char in card)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain words", "plain words"),
        ("# a", r"\# a"), ("- a", r"\- a"), ("+ a", r"\+ a"), ("1. a", r"1\. a"), ("12) a", r"12\) a"), ("=== ", r"\==="), ("2024 was", "2024 was"),
        ("a_b *c* `d` [e](f) <g> a|b ~h~ &amp; \\", r"a\_b \*c\* \`d\` \[e\](f) \<g\> a\|b \~h\~ \&amp; \\"),
        ("a\n\n\tb\r\x00", "a b �"),
        ("", ""),
    ],
)  # fmt: skip
def test_words_are_escaped(text: str, escaped: str) -> None:
    assert escape_text(text) == escaped


def test_paragraphs_stay_apart_and_code_keeps_its_letters() -> None:
    assert escape_paragraphs("a\nb\n \n\n# c\n") == "a b\n\n\\# c"
    assert [quote_code(text) for text in ("a|b", "a`b", "``", "", " ")] == [
        "`a|b`",
        "`` a`b ``",
        "``` `` ```",
        "–",
        "–",
    ]
    assert quote_cell("a|b") == r"`a\|b`"
    assert make_table([("a", "left"), ("b", "right")], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_a_description_is_the_beginning_of_the_card() -> None:
    assert shorten_card("short") == "short"
    long = write_card(make_version(), make_card_model()) + "| row |\n" * 2000
    cut = shorten_card(long)
    assert len(cut) <= 5000
    assert cut.endswith("… cut here; the whole card is card.md, beside the run's files.\n")
    assert long.startswith(cut.split("\n\n… cut")[0] + "\n")  # whole lines
    assert len(shorten_card("x" * 6000)) == 5000


def register(tracking: Tracking, model: PackagedModel) -> ModelVersion:
    run = start_run(tracking, open_experiment(tracking, model.name), name="train")
    return register_model(tracking, model, run_id=run)


def test_a_card_is_kept_once_with_its_version(tracking: Tracking, model: PackagedModel, tmp_path: Path) -> None:
    described = replace(model, metadata=dict(model.metadata) | make_facts())
    version = register(tracking, described)
    card = write_card(version, described)
    keep_card(tracking, version, card)
    keep_card(tracking, version, "another")
    kept = Path(tracking.client.download_artifacts(version.run_id, "card.md", str(tmp_path)))
    assert kept.read_text() == card == write_card(find_version(tracking, "shop"), described)
    assert tracking.client.get_model_version("shop", "1").description == shorten_card(card)


def test_a_kill_before_the_description_is_made_up_for(
    tracking: Tracking, model: PackagedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = register(tracking, model)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tracking.client, "update_model_version", interrupt)
        with pytest.raises(KeyboardInterrupt):
            keep_card(tracking, version, "card")
    keep_card(tracking, version, "card")
    assert tracking.client.get_model_version("shop", "1").description == "card"
