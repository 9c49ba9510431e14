"""A use case in which everything has run, as the page is told of it, and a parser that refuses what is not well formed."""

from datetime import UTC, datetime
from html.parser import HTMLParser

from sparkml_ops.catalog import CatalogEntry, Freshness
from sparkml_ops.lake import Metric
from sparkml_ops.reporting.facts import (
    AlertFacts,
    BatchFacts,
    CalibrationPoint,
    CheckFacts,
    DayFacts,
    DecisionFacts,
    Facts,
    ModelCard,
    ModelFacts,
    MonitoringFacts,
    ScoringFacts,
    SourceFacts,
    StepFacts,
    TrainingSetFacts,
    ViolationFacts,
)

AT = datetime(2024, 3, 1, 6, 30, tzinfo=UTC)
HOSTILE = """<script>alert("1")</script>'&<b onload=x>"""
_VOID = {"meta", "br", "link", "img", "input", "hr"}


class PageParser(HTMLParser):
    """Collects the text and the tags, and raises ValueError when a tag is closed that is not the last opened one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise ValueError(f"</{tag}> at {self.getpos()} closes nothing")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def parse_page(html: str) -> PageParser:
    parser = PageParser()
    parser.feed(html)
    parser.close()
    if parser.open:
        raise ValueError(f"never closed: {parser.open}")
    return parser


def make_metric(scope: str, subject: str, name: str, value: float | None, **rest: object) -> Metric:
    return Metric(scope, subject, name, value, batch_id="2024-02", model_version=2, **rest)  # type: ignore[arg-type]


def make_batch(
    batch_id: str = "2024-02", status: str = "published", version: int = 2, *checks: CheckFacts
) -> BatchFacts:
    published_at = AT if status == "published" else None
    return BatchFacts(batch_id, version, "champion", status, 1000, 120, 0.14, AT, published_at, checks)


def make_step(step: str, error: str | None = None, at: datetime = AT) -> StepFacts:
    outputs = (("clean_orders", 3, 990),) if error is None else ()
    return StepFacts("run-1", step, "failed" if error else "succeeded", at, at, 79.4, outputs, {}, error)


def make_decision(decision: str = "promoted", to_version: int = 2, **gate: object) -> DecisionFacts:
    told = {"name": "baseline", "verdict": "passed", "figure": 0.2, "threshold": 0.02, "reason": "a gain of 0.2"} | gate
    evidence = {"candidate": {"roc_auc": (0.78, 0.76, 0.8)}, "champion": {"roc_auc": (0.75, 0.73, 0.77)}}
    gates = (CheckFacts(**told),)  # type: ignore[arg-type]
    return DecisionFacts(AT, decision, 1, to_version, True, "all gates passed", "ann", gates, evidence)


def make_model(**changes: object) -> ModelFacts:
    figures = tuple(
        make_metric("evaluation", who, metric, value, lower=value - 0.02, upper=value + 0.02)
        for who, value in (("candidate", 0.78), ("linear", 0.72), ("trivial", 0.5))
        for metric in ("roc_auc", "pr_auc")
    )
    card = ModelCard(
        2, "ts-1", "lightgbm", {"num_leaves": "31"}, 20, 5000, 600,
        calibration=(CalibrationPoint(500, 0.1, 0.12), CalibrationPoint(500, 0.4, 0.37)),
        weights=(("orders__amount", 0.7), ("hour", 0.3)), reference_shares=(0.05,) * 20,
    )  # fmt: skip
    return ModelFacts(**({"champion": 2, "alias": 2, "newest": 2, "figures": figures, "card": card} | changes))  # type: ignore[arg-type]


def make_monitoring(**changes: object) -> MonitoringFacts:
    drift = (
        make_metric("drift", "orders__amount", "psi", 0.05, threshold=0.2, verdict="ok"),
        make_metric("drift", "hour", "psi", None, threshold=0.2, verdict="no_data"),
    )
    auc = make_metric("performance", "champion", "roc_auc", 0.77, lower=0.74, upper=0.8, threshold=0.7, verdict="ok")
    known = {
        "measured_at": AT,
        "batch_id": "2024-02",
        "model_version": 2,
        "drift": drift,
        "performance": (auc,),
        "history": (auc,),
    }
    return MonitoringFacts(**(known | changes))  # type: ignore[arg-type]


def make_entry(text: str, **changes: object) -> CatalogEntry:
    known = {
        "table": "clean_orders", "kind": "clean", "comment": text, "owner": text, "version": 3, "rows": 1234567, "files": 4, "bytes": 56_700_000,
        "changed_at": AT, "changed_by": "ingest:orders", "freshness": Freshness("ordered_at", 7200.0, 172_800.0),
        "written_by": ("ingest:orders",), "read_by": ("dataset",), "reaches": ("dataset", "train"),
    }  # fmt: skip
    return CatalogEntry(**(known | changes))  # type: ignore[arg-type]


def make_facts(text: str = "shop", **changes: object) -> Facts:
    """Facts in which nothing is wrong; `text` stands wherever users may write what they like."""
    alert = AlertFacts(AT, "drift", text, "2024-01", f"drift of {text}")
    known = {
        "use_case": "shop",
        "description": text,
        "owner": text,
        "environment": "local",
        "written_at": AT,
        "run_id": "run-1",
        "sources": (SourceFacts("orders", "orders-1", AT, 2, 1000, 990, 10),),
        "violations": (ViolationFacts("orders", text, 10),),
        "training_set": TrainingSetFacts("ts-1", "training_set_ts_1", AT, {"train": 800, "test": 200}, {"train": 80, "test": 20}, {text: 5}, 3),
        "model": make_model(),
        "decisions": (make_decision(reason=text),),
        "slices": (make_metric("slice", text, "roc_auc", 0.7),),
        "scoring": ScoringFacts((make_batch(),), make_batch(), (0.05,) * 20, (DayFacts("2024-02-01", 500, 0.1, 0.12), DayFacts("2024-02-03", 500, 0.2))),
        "monitoring": make_monitoring(alerts=(alert,)),
        "newest_steps": (make_step("score"),),
        "recent_steps": (make_step("score"), make_step("train", error=text)),
        "tables": (make_entry(text),),
    }  # fmt: skip
    return Facts(**(known | changes))  # type: ignore[arg-type]
