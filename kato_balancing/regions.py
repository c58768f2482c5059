"""What a balancer knows of regions: its own name, and where the others are."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from kato_balancing.fields import FilePath, Frozen, ServerName, choice, refused, refused_at
from kato_balancing.urls import Origin

_KEYWORDS = ("default", "hostnames", "include", "volatile")


class RegionAnswer(StrEnum):
    """What a request for another region's session gets."""

    REDIRECT = "REDIRECT"
    """307 to that region, with the same path and query; the client sends method and body again."""
    PROXY = "PROXY"
    """That region's answer, through this balancer."""


RegionAnswerField = Annotated[RegionAnswer, choice(RegionAnswer)]


class Region(Frozen):
    """The region of a balancer. A session lives in the store of one region only; a request says
    which with the ``X-Kato-Region`` header, and one for an unknown region is answered 421."""

    name: ServerName
    """This region's name, as in the handles that clients keep."""
    others: Annotated[Mapping[ServerName, Origin], Field(min_length=1, max_length=32)]
    """Name → public URL of the other regions."""
    answer: RegionAnswerField = RegionAnswer.REDIRECT
    authorities: FilePath = "/etc/ssl/certs/ca-certificates.crt"
    """With PROXY: file of the certificate authorities that the others' https is verified with, as
    the balancer sees it."""

    @field_validator("name", "others")
    @classmethod
    def _no_keyword(cls, value: Any) -> Any:
        for word in _KEYWORDS:
            if word == value or (not isinstance(value, str) and word in value):
                raise refused(f"{word!r} is a word of nginx's own; give the region another name")
        return value

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.name in self.others:
            rule = "is this region itself; leave it out"
            raise refused_at("Region", [(("others", self.name), rule)])
        return self
