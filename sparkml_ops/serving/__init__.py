"""The newest features by entity, for applications: published to a store, served over HTTP, held against the tables.

* `publish.publish_features` brings what changed from the feature tables into the store; `records` says what is in it.
* `server.create_app` answers from the store alone: it needs neither Spark nor the lake.
* `consistency.compare_served` tells where the store and the tables differ.

Nothing is imported here, so that a server starts without Spark.
"""
