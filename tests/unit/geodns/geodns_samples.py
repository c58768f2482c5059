"""Inputs of a DNS of regions to test with."""

from typing import Any

PLACES = {
    "eu": (50.1, 8.7),
    "us": (39.0, -77.5),
    "asia": (1.3, 103.8),
    "sa": (-23.5, -46.6),
}


def inputs(**more: Any) -> dict[str, Any]:
    """Four regions with an address each, and no networks."""
    return {
        "zone": "kato.example.com",
        "name_servers": ["ns1.example.net"],
        "regions": [
            {
                "name": name,
                "addresses": [f"192.0.2.{index}"],
                "location": {"latitude": latitude, "longitude": longitude},
                "health_url": "https://kato.example.com/sessions/lb-probe/exists",
            }
            for index, (name, (latitude, longitude)) in enumerate(PLACES.items(), 1)
        ],
        "backup": {"addresses": ["192.0.2.250"]},
        **more,
    }
