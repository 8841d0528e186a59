"""What is wrong with a feed's rows, in a sentence; empty if nothing is."""

FACTOR = 3  # from one month's price to the next one's


def wrong_prices(rows):
    if not isinstance(rows, list) or len(rows) < 24:
        return "these are no prices"
    before = None
    for row in rows:
        price, month = row.get("price"), row.get("month")
        if isinstance(price, bool) or not isinstance(price, (int, float)) or price <= 0:
            return f"the price of {month} is {price}"
        if before and following(before["month"]) != month:
            return f"{month} comes after {before['month']}"
        if before and not 1 / FACTOR <= price / before["price"] <= FACTOR:
            return f"from {before['price']} to {price} in {month}"
        before = row
    return ""


def following(month):
    year, number = map(int, month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}"


def wrong_bookings(rows):
    if not isinstance(rows, list) or not rows:
        return "these are no bookings"
    known = set()
    for row in rows:
        dest = row.get("dest")
        if not isinstance(dest, str) or len(dest) != 3 or not (dest.isascii() and dest.isalpha() and dest.isupper()):
            return f"booking {row.get('id')} goes to {dest!r}"
        if not row.get("passenger") or not row.get("id") or row["id"] in known:
            return f"booking {row.get('id')} comes twice, or is nobody's"
        known.add(row["id"])
    return ""
