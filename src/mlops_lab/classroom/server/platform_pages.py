"""The teacher's page about learning platforms: which lead here, which courses, and what no platform has taken yet."""

from __future__ import annotations

from mlops_lab.classroom.server.guard import Page
from mlops_lab.classroom.server.handling import Refused
from mlops_lab.classroom.server.platforms import Platforms


class _Platforms(Page):
    @property
    def platforms(self) -> Platforms:
        """Those of this class."""
        found = self.service.platforms
        if found is None:
            raise Refused(404, "no learning platform leads here", "see docs/lti.md")
        return found

    async def prepare(self) -> None:
        await super().prepare()
        if not self._finished:  # who is not logged in was sent to do so
            self.teach()

    async def overview(self, invitation: str = "") -> None:
        """Answer with the page.

        Args:
            invitation: an address that was made just now, and is told this once.
        """
        self.show("platforms.html", stand=await self.platforms.stand(), invitation=invitation)


class Overview(_Platforms):
    """/platforms"""

    async def get(self) -> None:
        """How it stands."""
        await self.overview()


class Invitation(_Platforms):
    """/platforms/invitation"""

    async def post(self) -> None:
        """An address by which a platform and this class get to know each other."""
        await self.overview(await self.platforms.invite(self.get_body_argument("platform", "").strip()))


class Course(_Platforms):
    """/platforms/course"""

    async def post(self) -> None:
        """Let a course in, or no longer."""
        given = {name: self.get_body_argument(name, "").strip() for name in ("platform", "course", "ends")}
        await self.platforms.let_in(given["platform"], given["course"], ends=bool(given["ends"]))
        self.redirect("/platforms", status=303)


class Again(_Platforms):
    """/platforms/again"""

    async def post(self) -> None:
        """Send what waits."""
        await self.platforms.again()
        self.redirect("/platforms", status=303)
