"""`base.yml` and its overlays: where things live on this machine or cluster."""

from typing import Annotated

from pydantic import Field, model_validator

from sparkml_ops.config.types import Identifier, Section

Scalar = str | int | float | bool


class LakeLocation(Section):
    """Where the tables are: `<root>/<use case>/<table>`, or `<catalog>.<schema>_<use case>.<table>` when a schema is given."""

    root: str = Field(min_length=1, description="a folder or a storage URL; relative to the project folder")
    catalog: Identifier | None = None
    schema_name: Identifier | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _schema_for_catalog(self) -> "LakeLocation":
        if self.catalog is not None and self.schema_name is None:
            raise ValueError("a schema with the catalog")
        return self


class MLflowLocation(Section):
    """Where MLflow keeps runs and models."""

    tracking_uri: str = Field(min_length=1)
    registry_uri: str | None = None
    artifact_location: str | None = Field(
        default=None, description="for a new experiment; the server's default when null"
    )


class SparkSettings(Section):
    """Spark settings for a session that we start; never applied over what spark-submit or a notebook has set."""

    conf: dict[Annotated[str, Field(pattern=r"^spark\.")], Scalar] = Field(default={})


class Environment(Section):
    """One environment: laptop, cluster or Databricks."""

    name: str = "local"
    lake: LakeLocation
    mlflow: MLflowLocation
    spark: SparkSettings = SparkSettings()
    variables: dict[Identifier, Scalar] = Field(default={}, description="values for ${name} in use cases")
    reports: str = Field(default="data/reports", description="folder for summary pages")
