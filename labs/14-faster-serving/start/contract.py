"""What POST /predict takes: 1 to 1000 flights. Whatever breaks this is refused with 422 before a model sees it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Code = Annotated[str, Field(pattern="^[A-Z0-9]{2,4}$")]


class Strict(BaseModel):
    """Unknown fields are refused, and so are NaN and infinity."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Flight(Strict):
    """A departure. The weather may be missing."""

    month: int = Field(ge=1, le=12)
    day: int = Field(ge=1, le=31)
    weekday: int = Field(ge=0, le=6)
    hour: int = Field(ge=0, le=23)
    carrier: Code
    origin: Code
    dest: Code
    distance: float = Field(gt=0, le=20000)
    temp: float | None = None
    wind_speed: float | None = None
    precip: float | None = None
    visib: float | None = None


class Question(Strict):
    """The body of POST /predict."""

    rows: list[Flight] = Field(min_length=1, max_length=1000)
