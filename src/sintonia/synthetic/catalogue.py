"""What the brand sells: twelve categories of thirty items each, with list prices in cents."""

import numpy as np

from sintonia.core.arrays import Ints, Texts
from sintonia.synthetic.arrays import object_array

CATEGORIES = (
    "shirts",
    "trousers",
    "dresses",
    "knitwear",
    "outerwear",
    "shoes",
    "bags",
    "accessories",
    "underwear",
    "sport",
    "kids",
    "home",
)
_TYPICAL_CENTS = np.array([2900, 3900, 4500, 4200, 7900, 6500, 5500, 1900, 1200, 3500, 2400, 2800])
ITEMS_PER_CATEGORY = 30

LIST_PRICES: Ints = (
    np.round(_TYPICAL_CENTS[:, None] * np.linspace(0.6, 1.6, ITEMS_PER_CATEGORY)[None, :] / 50)
    .astype(np.int64)
    .ravel()
    * 50
)
"""List price in cents of each item, by item number = category x 30 + index."""

ITEM_IDS: Texts = object_array(
    [f"{name[:3].upper()}{number:03d}" for name in CATEGORIES for number in range(ITEMS_PER_CATEGORY)]
)
CATEGORY_OF_ITEM: Texts = object_array([name for name in CATEGORIES for _ in range(ITEMS_PER_CATEGORY)])
MEAN_PRICE = LIST_PRICES.reshape(len(CATEGORIES), ITEMS_PER_CATEGORY).mean(axis=1)
"""Mean list price in cents per category; items of a category sell equally often."""
