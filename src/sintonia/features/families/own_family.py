"""User-defined families: a Python function from a `FamilyContext` to features, named by its module or its file."""

from sintonia.core.errors import ConfigError, unknown
from sintonia.core.own_code import own_object
from sintonia.features.families.context import FamilyContext
from sintonia.features.families.own_measures import readable_columns
from sintonia.features.kernel.plan import plan
from sintonia.features.measures import Feature

KEY = "features.families_from"


def own_family(reference: str, context: FamilyContext) -> list[Feature]:
    """Return the features of `folder/file.py:function` or `module:function`.

    Raises
    ------
    ConfigError
        When the reference names no function, or the function gives something else than features over the
        interactions' columns.
    InputError
        When there is no such file or module.
    """
    features = own_object(reference, KEY, "function", "my_family")(context)
    if not isinstance(features, list) or not all(isinstance(feature, Feature) for feature in features):
        raise ConfigError(f"{KEY}: '{reference}' gave no list of features; return [Feature(...), ...].")
    for column in plan(features).columns:
        if column not in readable_columns():
            raise unknown(f"column in the features of '{reference}':", column, readable_columns())
    return features
