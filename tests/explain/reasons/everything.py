"""A brand that has everything: all families, all channels and kinds, categories, actions, attributes, a prior."""

from datetime import datetime

import numpy as np

from features.typed_tables import PRIOR
from sintonia.core.config import FeaturesConfig, TaskConfig
from sintonia.core.schema import CHANNELS, KINDS
from sintonia.features import Fitted
from sintonia.features.families import FAMILIES
from sintonia.features.history import GENERATIONS
from sintonia.training.calibration import Calibrator
from sintonia.training.dataset import catalogue_of
from sintonia.training.models import LightGBMModel

CATEGORIES = ("Women's shoes", "CAFFÈ")
FITTED = Fitted(
    datetime(2025, 1, 1),
    {
        "channel": CHANNELS,
        "kind": KINDS,
        "category": CATEGORIES,
        "sent:channel": ("email", "sms"),
        "sent:action_id": ("gift_card", "10_off"),
        "attribute": ("region", "loyalty_tier"),
        "attribute:region": ("Emilia-Romagna", "Forlì"),
        "attribute:loyalty_tier": ("gold",),
        "number": ("house_size",),
        "changing": ("region", "house_size"),
        "generation": tuple(GENERATIONS),
        "consent": ("email", "push"),
        "identifier": ("card", "email"),
    },
    {
        "open": 0.3,
        "click": 0.1,
        "redeem": 0.1,
        "redeem:unasked": 0.2,
        **{
            f"{kind}:{of}": 0.2
            for kind in ("open", "click", "redeem")
            for of in ("email", "action:gift_card")
        },
    },
    PRIOR.as_json(),
)
FEATURES = FeaturesConfig(
    families=[*FAMILIES], windows_days=[7, 30, 90, 365], half_lives_days=[30, 180], top_k=10
)


def model_of(task="churn", features=FEATURES, reference=None):
    """A model that has learnt nothing, which reads everything."""
    config = TaskConfig(name=task, categories=list(CATEGORIES) if task == "category" else [])
    catalogue = catalogue_of(config, features, FITTED)
    return LightGBMModel(
        task=config,
        features=features,
        fitted=FITTED,
        names=tuple(feature.name for feature in catalogue),
        trees="",
        calibrator=Calibrator("sigmoid"),
        source="toy",
        fingerprint="0",
        profile=reference,
    )


def row_of(model, **values):
    """One row of the model's features, missing where no value is given."""
    row = np.full((1, len(model.names)), np.nan, np.float32)
    for name, value in values.items():
        row[0, model.names.index(name)] = value
    return row
