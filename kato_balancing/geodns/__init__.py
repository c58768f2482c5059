"""DNS answers by region: which region a client gets, and the servers that say so. Pure."""

from kato_balancing.geodns.model import GeoDns

__all__ = ["GeoDns"]
