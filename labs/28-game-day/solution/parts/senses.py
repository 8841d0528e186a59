"""What goes wrong outside: feeds, and more passengers than usual. Each sense says what it feels now."""

import time

import kube
import registry
import valid
from serving import fetch


class Feed:
    """A feed that is asked again and again."""

    def __init__(self, where, url, check, names):
        self.where, self.url, self.check, self.feels = where, url, check, names
        self.silent, self.wrong = names
        self.failed = 0

    def feel(self):
        try:
            rows = fetch(self.url, within=4)
        except (OSError, ValueError):
            self.failed += 1
            return {self.silent} if self.failed > 1 else None
        self.failed = 0
        try:
            self.check(rows)
        except (ValueError, TypeError, KeyError):
            return {self.wrong}
        return set()


class Rush:
    """The page's pods say how much they were asked in the last 10 s."""

    where, feels = "page", ("surge",)

    def feel(self):
        rate = 0.0
        for pod in kube.items("Pod", "app=page"):
            if address := pod["status"].get("podIP"):
                try:
                    rate += fetch(f"http://{f'[{address}]' if ':' in address else address}:8080/busy", within=2)["rate"]
                except (OSError, ValueError):
                    continue
        return {"surge"} if rate > 10 else set()


class Alias:
    """Does production mean what was released? Else it is put back."""

    feels = ("alias-moved",)

    def __init__(self, where):
        self.where, self.twice = where, False

    def feel(self):
        approved, production = (registry.by_alias(self.where, alias) for alias in ("approved", "production"))
        if not approved or approved == production:
            self.twice = False
            return set()
        if not self.twice:  # a release sets one after the other
            self.twice = True
            return None
        registry.set_alias(self.where, "production", approved)
        return {"alias-moved"}


def all_of_them():
    return [
        Feed("exchange", "http://exchange/prices", valid.prices, ("prices-silent", "wrong-prices")),
        Feed("bookings", "http://bookings/bookings", valid.bookings, ("bookings-silent", "wrong-bookings")),
        Rush(), Alias("forecast"), Alias("recommend"),
    ]  # fmt: skip


def feel_on(sense, tell, every=2.5):
    """Feel again and again; `tell(where, kinds)`. None is no news."""
    while True:
        try:
            found = sense.feel()
            if found is not None:
                tell(sense, found)
        except Exception as trouble:
            tell(sense, None, trouble)
        time.sleep(every)
