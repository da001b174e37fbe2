"""The catalogue: products, the themes that they belong to, and interests declared in themes."""

from domain.catalogue.interests import (
    DeclareInterests,
    ThemeInterest,
    declare_interests,
    theme_interests,
)
from domain.catalogue.products import (
    BATCH_MAX,
    THEMES,
    CatalogueItem,
    Product,
    Theme,
    Upserted,
    check_item,
    missing_themes,
    products_by_code,
    products_by_id,
    themes,
    themes_by_code,
    themes_of_products,
    themes_with_products,
    upsert_products,
)

__all__ = [
    "BATCH_MAX",
    "THEMES",
    "CatalogueItem",
    "DeclareInterests",
    "Product",
    "Theme",
    "ThemeInterest",
    "Upserted",
    "check_item",
    "declare_interests",
    "missing_themes",
    "products_by_code",
    "products_by_id",
    "theme_interests",
    "themes",
    "themes_by_code",
    "themes_of_products",
    "themes_with_products",
    "upsert_products",
]
