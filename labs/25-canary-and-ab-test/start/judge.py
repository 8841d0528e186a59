"""Is the candidate worse than the stable model? A colleague's first attempt."""


class Judge:
    """One for each canary."""

    def __init__(self):
        self.answers = {"stable": [], "candidate": []}

    def look(self, stable, candidate):
        """Every 5 s, with what is new of both models. Returns "promote", "take back", or None: it goes on."""
        self.answers["stable"] += stable["answers"]
        self.answers["candidate"] += candidate["answers"]
        if len(self.answers["candidate"]) < 50:
            return None
        errors = {name: sum(failed for failed, _ in rows) / len(rows) for name, rows in self.answers.items()}
        if errors["candidate"] > errors["stable"]:
            return "take back"
        return "promote" if len(self.answers["candidate"]) > 200 else None
