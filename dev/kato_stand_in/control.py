"""The calls under /_stand_in, which KATO does not have: they order faults."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from .faults import Fault
from .parts import PartsHere

router = APIRouter(prefix="/_stand_in")


class FaultOrder(BaseModel):
    """Body of POST /_stand_in/fault."""

    kind: Literal[
        "none", "block", "hang", "slow", "reset", "fail_before", "fail_after", "clickhouse_down"
    ]
    seconds: float = Field(default=0.0, ge=0)
    count: int | None = Field(default=None, ge=1)


@router.post("/fault")
async def order_fault(body: FaultOrder, parts: PartsHere) -> dict[str, Any]:
    """Replace the fault of the process that answers (with several workers: any of them)."""
    parts.faults.order(Fault(body.kind, body.seconds, body.count))
    return body.model_dump()


@router.get("/fault")
async def current_fault(parts: PartsHere) -> dict[str, Any]:
    """The fault still in force in the process that answers."""
    fault = parts.faults.current or Fault("none")
    return {"kind": fault.kind, "seconds": fault.seconds, "count": fault.count}
