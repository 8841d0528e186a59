"""What a client may send. A misspelt field is refused: silently ignored, it would be a wrong prediction."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Code = Annotated[str, Field(min_length=2, max_length=4, pattern="^[A-Z0-9]+$")]


class Flight(BaseModel):
    """A departure; the weather is that of its airport in its hour (Fahrenheit, mph, inches, miles)."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    month: int = Field(ge=1, le=12)
    day: int = Field(ge=1, le=31)
    weekday: int = Field(ge=0, le=6, description="Monday is 0")
    hour: int = Field(ge=0, le=23)
    carrier: Code
    origin: Code
    dest: Code
    distance: float = Field(gt=0, le=20000, description="miles")
    temp: float | None = None
    wind_speed: float | None = None
    precip: float | None = None
    visib: float | None = None


class Question(BaseModel):
    """The body of POST /predict."""

    model_config = ConfigDict(extra="forbid")

    rows: list[Flight] = Field(min_length=1, max_length=1000)
