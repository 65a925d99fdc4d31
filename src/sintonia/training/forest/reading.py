"""LightGBM's text models, read line by line; what this reader does not know is refused."""

from sintonia.training.forest.assembling import NODE, assemble, refusal
from sintonia.training.forest.tables import Forest

LINKS = dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "identity")
LINKS |= dict.fromkeys(("lambdarank", "rank_xendcg", "none"), "identity")
LINKS |= dict.fromkeys(("poisson", "gamma", "tweedie"), "exponential")
LINKS |= dict.fromkeys(("binary", "cross_entropy"), "sigmoid")
HEADER = {"version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective"}
HEADER |= {"feature_names", "feature_infos", "tree_sizes", "monotone_constraints"}
TREE = NODE | {"num_leaves", "num_cat", "leaf_value", "leaf_count", "cat_boundaries", "cat_threshold"}
TREE |= {"is_linear", "shrinkage", "split_gain", "leaf_weight", "internal_value", "internal_weight"}


def read_forest(model_text: str) -> Forest:
    """Return the forest of a LightGBM text model (`Booster.model_to_string()`).

    Raises
    ------
    UnsupportedModelError
        The file holds something this reader does not know (several classes, linear trees, averaged outputs,
        another objective or entry, leaves without training rows): LightGBM itself can still predict.

    Examples
    --------
    >>> read_forest("tree\\nversion=v9\\n")
    Traceback (most recent call last):
    sintonia.core.errors.UnsupportedModelError: Cannot read 'tree version v9' in a model; LightGBM can.
    """
    head, *bodies = model_text.partition("\nend of trees")[0].split("\nTree=")
    start, *lines = head.split("\n")
    header = _entries(lines, HEADER)
    if start != "tree" or header.get("version") not in ("v3", "v4"):
        raise refusal(f"{start} version {header.get('version')}")
    if "\nis_linear=1" in model_text:
        raise refusal("linear trees")
    trees = [_entries(body.split("\n")[1:], TREE) for body in bodies]
    if header.get("num_tree_per_iteration") != "1":
        raise refusal("several classes")
    link, slope = _link(header.get("objective", "none"))
    try:
        return assemble(tuple(header["feature_names"].split(" ")), link, slope, trees)
    except (KeyError, ValueError, IndexError) as error:
        raise refusal(f"broken tables: {error}") from error


def _entries(lines: list[str], known: set[str]) -> dict[str, str]:
    """Return the `key=value` lines of one section; none may be unknown."""
    pairs = dict(line.partition("=")[::2] for line in lines if line)
    if strange := sorted(set(pairs) - known):
        raise refusal(strange[0])
    return pairs


def _link(objective: str) -> tuple[str, float]:
    """Return the link and its slope: `binary sigmoid:2` gives `("sigmoid", 2.0)`."""
    name, *options = objective.split()
    settings = dict(option.partition(":")[::2] for option in options)
    slope = float(settings.pop("sigmoid", 1.0)) if name == "binary" else 1.0
    if name not in LINKS or set(settings) - {"tweedie_variance_power", "alpha", "fair_c"}:
        raise refusal(f"objective {objective}")
    return LINKS[name], slope
