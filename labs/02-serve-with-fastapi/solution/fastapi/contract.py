"""What a body of POST /predict may hold. pydantic refuses the rest, and says which field it was."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Code = Annotated[str, Field(pattern="^[A-Z0-9]{2,4}$")]


class Strict(BaseModel):
    """Unknown fields are refused, and so are NaN and infinity, numbers as text, and true for 1."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


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
    """The body."""

    rows: list[Flight] = Field(min_length=1, max_length=1000)
