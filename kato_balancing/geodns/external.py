"""Model → objects for a cluster that has ExternalDNS or k8gb, as plain data.

Neither knows where clients are: ExternalDNS writes what its DNS provider then answers with, k8gb
chooses by its own database. What they leave out is said at each function.
"""

from typing import Any

from kato_balancing.geodns.model import GeoDns

Manifest = dict[str, Any]


def dns_endpoint(dns: GeoDns, name: str) -> Manifest:
    """ExternalDNS' ``DNSEndpoint``: every region that takes new clients, a record set each, with
    its place for providers that route by it (Route 53's geoproximity). Health is the provider's
    own matter."""
    endpoints = [
        {
            "dnsName": dns.name,
            "recordType": kind,
            "recordTTL": dns.ttl,
            "setIdentifier": region.name,
            "targets": targets,
            "providerSpecific": [
                {
                    "name": "aws/geoproximity-coordinates",
                    "value": f"{region.location.latitude:.2f},{region.location.longitude:.2f}",
                }
            ],
        }
        for region in dns.regions
        if region.name not in dns.draining
        for kind, is_v6 in (("A", False), ("AAAA", True))
        if (targets := [one for one in region.addresses if (":" in one) == is_v6])
    ]
    return _object("externaldns.k8s.io/v1alpha1", "DNSEndpoint", name, {"endpoints": endpoints})


def gslb(dns: GeoDns, name: str, *, ingress: str) -> Manifest:
    """k8gb's ``Gslb`` for the Ingress of that name, with ``geoip``; the same in every region's
    cluster. Health is the readiness of the Ingress' own pods; a drain is the deletion of a
    region's object; a backup there is none."""
    resource = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": ingress}
    strategy = {"type": "geoip", "dnsTtlSeconds": dns.ttl}
    spec = {"resourceRef": resource, "strategy": strategy}
    return _object("k8gb.io/v1beta1", "Gslb", name, spec)


def _object(version: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
