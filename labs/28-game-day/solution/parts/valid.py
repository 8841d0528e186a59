"""Which rows of a feed nobody should learn from, by pandas."""

import pandas as pd


def prices(rows):
    """Raises ValueError for what is wrong."""
    if not isinstance(rows, list) or not all(isinstance(each, dict) and is_number(each.get("price")) for each in rows):
        raise ValueError("a price is no number")
    table = pd.DataFrame(rows, columns=["month", "price"])
    price = pd.to_numeric(table["price"], errors="coerce")
    if len(table) < 24 or price.isna().any() or (price <= 0).any():
        raise ValueError("a price is missing, or is none")
    months = pd.PeriodIndex(table["month"], freq="M")
    if not (months == pd.period_range(months[0], periods=len(months), freq="M")).all():
        raise ValueError("months are not one after the other")
    change = (price / price.shift()).dropna()
    if (change > 3).any() or (change < 1 / 3).any():
        raise ValueError("a price is three times the one before, or a third")
    return rows


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def bookings(rows):
    """Raises ValueError for what is wrong."""
    table = pd.DataFrame(rows, columns=["id", "passenger", "dest"])
    if table.empty or table.isna().any(axis=None) or (table[["id", "passenger"]] == "").any(axis=None):
        raise ValueError("something is missing")
    if table["id"].duplicated().any():
        raise ValueError("a booking comes twice")
    if not table["dest"].astype(str).str.fullmatch("[A-Z]{3}").all():
        raise ValueError("a destination is no airport's code")
    return rows
