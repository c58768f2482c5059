"""Objects for ExternalDNS and k8gb."""

from geodns_samples import inputs

from kato_balancing.geodns import GeoDns, external


def test_external_dns_gets_a_record_set_for_each_region_that_takes_clients() -> None:
    data = inputs(draining=["us"])
    data["regions"][0]["addresses"].append("2001:db8::1")

    found = external.dns_endpoint(GeoDns.of(data), "kato")

    assert (found["apiVersion"], found["kind"]) == ("externaldns.k8s.io/v1alpha1", "DNSEndpoint")
    assert [
        (one["setIdentifier"], one["recordType"], one["targets"], one["recordTTL"])
        for one in found["spec"]["endpoints"]
    ] == [
        ("eu", "A", ["192.0.2.1"], 20),
        ("eu", "AAAA", ["2001:db8::1"], 20),
        ("asia", "A", ["192.0.2.3"], 20),
        ("sa", "A", ["192.0.2.4"], 20),
    ]


def test_k8gb_gets_a_gslb_for_the_ingress() -> None:
    found = external.gslb(GeoDns.of(inputs(ttl=30)), "kato", ingress="kato")

    assert (found["apiVersion"], found["kind"]) == ("k8gb.io/v1beta1", "Gslb")
    assert found["metadata"] == {"name": "kato"}
    assert found["spec"]["resourceRef"]["name"] == "kato"
    assert found["spec"]["strategy"] == {"type": "geoip", "dnsTtlSeconds": 30}
