"""What the feature server answers, without HTTP. All answers of one request are as of one moment."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ConflictError
from sparkml_ops.serving.answers import AnswerPlan, answer, plan_answers
from sparkml_ops.serving.openapi import describe_server
from sparkml_ops.serving.publication import Publication, to_microseconds
from sparkml_ops.serving.requests import BadRequestError, find_keys, read_body, read_query, require_size, require_view
from sparkml_ops.serving.values import render_instant

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.serving.stores import FeatureStore

Clock = Callable[[], datetime]
Entity = Mapping[str, Any]
_ATTEMPTS = 3  # a request meets a publishing with other entity columns once


def read_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class _Looked:
    """What was found of the asked entities in a view; a key is None where a value of the entity is null."""

    plan: AnswerPlan
    keys: Sequence[bytes | None]
    records: Iterator[bytes | None]


@dataclass(frozen=True)
class FeatureService:
    """Answers from a store.

    Attributes:
        use_case: whose views are served.
        store: what is published.
        clock: tells the moment of a request.
    """

    use_case: "UseCase"
    store: "FeatureStore"
    clock: Clock = read_clock
    _plans: dict[str, AnswerPlan] = field(default_factory=dict)

    def look_up_one(self, view: str, query: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """Answer for one entity of one view.

        Raises:
            BadRequestError: it cannot be answered, and why.
        """
        entity = read_query(query)
        answered = self._look_up([view], [entity])
        result = answered["results"][0]["views"][view]
        return {"view": view, **answered["views"][view], "asked_at": answered["asked_at"], "entity": entity, **result}

    def look_up_batch(self, view: str, body: bytes) -> dict[str, Any]:
        """Answer for several entities of one view, in their order.

        Raises:
            BadRequestError: it cannot be answered, and why.
        """
        answered = self._look_up([view], read_body(body, {"entities": dict})["entities"])
        results = [{"entity": result["entity"], **result["views"][view]} for result in answered["results"]]
        return {"view": view, **answered["views"][view], "asked_at": answered["asked_at"], "results": results}

    def look_up_views(self, body: bytes) -> dict[str, Any]:
        """Answer for several entities from several views.

        Raises:
            BadRequestError: it cannot be answered, and why.
        """
        asked = read_body(body, {"views": str, "entities": dict})
        return self._look_up(list(dict.fromkeys(asked["views"])), asked["entities"])

    def report_health(self) -> dict[str, Any]:
        """What is published of each view, and how old it is."""
        published, moment = self._publications(), to_microseconds(self.clock())
        views = {name: _describe(published.get(name), moment) for name in self.use_case.served_views()}
        return {"status": "ok", "views": views}

    def report_life(self) -> dict[str, Any]:
        """Whether the store can be read."""
        self.store.read_states()
        return {"status": "ok"}

    def describe(self) -> dict[str, Any]:
        """The OpenAPI document of what is published now."""
        return describe_server(self.use_case, self.list_published())

    def list_published(self) -> dict[str, Publication]:
        """What is published now of the views that are served."""
        served = self.use_case.served_views()
        return {view: publication for view, publication in self._publications().items() if view in served}

    def column_types(self, view: str) -> dict[str, Any]:
        """Spark's type of each feature of a view that was looked up."""
        return {column.name: column.type for column in self._plan(view).publication.columns}

    def _publications(self) -> dict[str, Publication]:
        states = self.store.read_states()
        return {name: state.published for name, state in states.items() if state.published is not None}

    def _look_up(self, views: Sequence[str], entities: Sequence[Entity]) -> dict[str, Any]:
        require_size(len(views) * len(entities), self.use_case.serving.max_batch)
        return self.look_up(views, entities, moment=to_microseconds(self.clock()))

    def look_up(self, views: Sequence[str], entities: Sequence[Entity], *, moment: int) -> dict[str, Any]:
        """What is known of entities in views at a moment, in microseconds; however many there are.

        Raises:
            BadRequestError: it cannot be answered, and why.
        """
        looked = self._find(views, entities)
        results: list[dict[str, Any]] = [{"entity": entity, "views": {}} for entity in entities]
        for view, found in looked.items():
            for result, key in zip(results, found.keys, strict=True):
                record = None if key is None else next(found.records)
                result["views"][view] = answer(found.plan, record, moment=moment, is_whole=key is not None)
        stated = {view: _state(found.plan.publication) for view, found in looked.items()}
        return {"asked_at": render_instant(moment), "views": stated, "results": results}

    def _find(self, views: Sequence[str], entities: Sequence[Entity]) -> dict[str, _Looked]:
        """Records by view, with keys that were made by the entity columns of the very publication that is found."""
        for _ in range(_ATTEMPTS):
            plans = {view: self._plan(view) for view in views}
            keys = self._make_keys(plans, entities)
            found = self.store.find({view: [key for key in some if key is not None] for view, some in keys.items()})
            now = {view: self._renew(view, found[view].publication if view in found else None) for view in views}
            if all(plan is not None and plan.has_entity_of(plans[view]) for view, plan in now.items()):
                return {
                    view: _Looked(plan, keys[view], iter(found[view].records)) for view, plan in now.items() if plan
                }
        raise ConflictError(
            f"{', '.join(views)}: published anew again and again while they were asked for: ask once more"
        )

    def _make_keys(self, plans: dict[str, AnswerPlan], entities: Sequence[Entity]) -> dict[str, list[bytes | None]]:
        """Keys by view. Before an entity is called wrong it is looked whether the view has been published with other columns."""
        try:
            return _find_all_keys(plans, entities)
        except BadRequestError:
            published = self._publications()
            plans |= {view: plan for view in plans if (plan := self._renew(view, published.get(view))) is not None}
            return _find_all_keys(plans, entities)

    def _plan(self, view: str) -> AnswerPlan:
        known = self._plans.get(view)
        if known is None:
            publication = require_view(view, self.use_case.served_views(), self._publications())
            known = self._plans[view] = plan_answers(publication)
        return known

    def _renew(self, view: str, publication: Publication | None) -> AnswerPlan | None:
        """How a view is told as it is published now; None where it is no more."""
        if publication is None:
            self._plans.pop(view, None)
            return None
        known = self._plans.get(view)
        if known is None or known.publication != publication:
            known = self._plans[view] = plan_answers(publication)
        return known


def _find_all_keys(plans: Mapping[str, AnswerPlan], entities: Sequence[Entity]) -> dict[str, list[bytes | None]]:
    others = {column.name for plan in plans.values() for column in plan.publication.entity}
    return {view: find_keys(plan.publication, entities, others=others) for view, plan in plans.items()}


def _state(publication: Publication) -> dict[str, Any]:
    return {"version": publication.version, "published_at": render_instant(publication.published_at)}


def _describe(publication: Publication | None, moment: int) -> dict[str, Any]:
    if publication is None:
        return {"published": False}
    age, holds = max(0, moment - publication.published_at) / 1_000_000, render_instant(publication.through)
    run = publication.run_id
    return {"published": True, **_state(publication), "age_seconds": age, "holds_until": holds, "run_id": run}
