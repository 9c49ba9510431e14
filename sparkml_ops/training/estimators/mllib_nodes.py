"""A model that Spark MLlib has fitted -> NumPy arrays."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from sparkml_ops.models.kinds.filled import Filling
from sparkml_ops.models.kinds.forest import Forest
from sparkml_ops.models.kinds.mllib import LinearModel, SoftmaxModel, TreeModel

Node = dict[str, Any]


def convert_line(fitted: Any, filling: Filling) -> LinearModel | SoftmaxModel:
    """Coefficients of a `LogisticRegressionModel` or a `LinearRegressionModel`, by the columns that levels were spread to."""
    is_number = type(fitted).__name__.startswith("Linear")
    if not is_number and fitted.coefficientMatrix.numRows > 1:  # a row for each class: the family is multinomial
        of_classes = np.ascontiguousarray(fitted.coefficientMatrix.toArray().T)
        return SoftmaxModel(filling, of_classes, np.array(fitted.interceptVector.toArray()))
    return LinearModel(filling, np.array(fitted.coefficients.toArray()), float(fitted.intercept), is_number)


def convert_trees(fitted: Any, filling: Filling) -> TreeModel:
    """The nodes of a decision tree, of a random forest, or of boosted trees."""
    trees = fitted.trees if hasattr(fitted, "trees") else [fitted]
    name, nodes = type(fitted).__name__, [_read_nodes(tree) for tree in trees]
    is_boosted = name.startswith("GBT")
    if "Regression" in name:  # a forest answers with the mean of its trees, boosted trees with a weighted sum
        weights = [float(weight) for weight in fitted.treeWeights] if is_boosted else [1 / len(trees)] * len(trees)
        return TreeModel(filling, _join(nodes, weights, _number_values), is_boosted=True)
    weights = [float(weight) for weight in fitted.treeWeights] if is_boosted else [1.0] * len(trees)
    return TreeModel(filling, _join(nodes, weights, _boosted_values if is_boosted else _vote_values), is_boosted)


def _read_nodes(tree: Any) -> list[Node]:
    """All nodes as MLlib itself writes them, in one call: asking for each of them takes minutes for a large forest."""
    from pyspark.sql import SparkSession

    jvm: Any = SparkSession.active()._jvm  # noqa: SLF001  # pyspark has no way to read a whole tree
    jackson, access = jvm.com.fasterxml.jackson, jvm.com.fasterxml.jackson.annotation.PropertyAccessor
    visible: Any = getattr(jackson.annotation, "JsonAutoDetect$Visibility")  # no name that Python can write
    mapper = jackson.databind.ObjectMapper()
    mapper.setVisibility(access.ALL, visible.NONE)
    mapper.setVisibility(access.FIELD, visible.ANY)
    companion: Any = getattr(jvm.org.apache.spark.ml.tree, "DecisionTreeModelReadWrite$NodeData$")
    built = getattr(companion, "MODULE$").build(tree._java_obj.rootNode(), 0)._1()  # noqa: SLF001
    nodes: list[Node] = json.loads(mapper.writeValueAsString(jvm.scala.jdk.javaapi.CollectionConverters.asJava(built)))
    return sorted(nodes, key=lambda node: node["id"])


def _join(trees: list[list[Node]], weights: list[float], read_values: Callable[[Node], tuple[float, ...]]) -> Forest:
    sizes = [len(nodes) for nodes in trees]
    roots = np.cumsum(sizes) - sizes
    found = [(node, int(root)) for nodes, root in zip(trees, roots, strict=True) for node in nodes]
    splits = [node["split"] for node, _ in found]
    is_leaf = [node["leftChild"] < 0 for node, _ in found]
    of_levels = [not leaf and split["numCategories"] >= 0 for leaf, split in zip(is_leaf, splits, strict=True)]
    is_number = [not leaf and not levels for leaf, levels in zip(is_leaf, of_levels, strict=True)]
    return Forest(
        roots=roots.astype(np.int64),
        depths=np.array([_measure_depth(nodes) for nodes in trees], dtype=np.int64),
        weights=np.array(weights, dtype=np.float64),
        features=np.array([max(split["featureIndex"], 0) for split in splits], dtype=np.int32),
        thresholds=np.array(
            [float(s["leftCategoriesOrThreshold"][0]) if n else np.inf for s, n in zip(splits, is_number, strict=True)]
        ),
        lefts=np.array([_find_child(node, root, "leftChild", at) for at, (node, root) in enumerate(found)], np.int32),
        rights=np.array([_find_child(node, root, "rightChild", at) for at, (node, root) in enumerate(found)], np.int32),
        subset_of=np.where(of_levels, np.cumsum(of_levels) - 1, -1).astype(np.int32),
        gains=np.array([0.0 if leaf else _gain(node) for leaf, (node, _) in zip(is_leaf, found, strict=True)]),
        values=np.array([read_values(node) for node, _ in found], dtype=np.float64),
        subsets=_list_subsets([split for split, levels in zip(splits, of_levels, strict=True) if levels]),
    )


def _find_child(node: Node, root: int, side: str, at: int) -> int:
    return at if node[side] < 0 else root + int(node[side])


def _number_values(node: Node) -> tuple[float]:
    return (float(node["prediction"]),)


def _boosted_values(node: Node) -> tuple[float, float]:
    return 0.0, float(node["prediction"])


def _vote_values(node: Node) -> tuple[float, ...]:
    """The shares of the classes; a leaf whose rows have no weight has no vote."""
    weights = [float(weight) for weight in node["impurityStats"]]
    total = sum(weights)
    return tuple(weight / total if total else 0.0 for weight in weights)


def _gain(node: Node) -> float:
    return float(node["gain"]) * float(node["rawCount"])


def _measure_depth(nodes: list[Node]) -> int:
    """Of a tree whose nodes come before their children."""
    depths = [0] * len(nodes)
    for node in nodes:
        for side in ("leftChild", "rightChild"):
            if node[side] >= 0:
                depths[node[side]] = depths[node["id"]] + 1
    return max(depths)


def _list_subsets(splits: list[dict[str, Any]]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    width = max((split["numCategories"] for split in splits), default=0)
    subsets = np.zeros((len(splits), width), dtype=np.bool_)
    for at, split in enumerate(splits):
        subsets[at, np.array(split["leftCategoriesOrThreshold"], dtype=np.int64)] = True
    return subsets
