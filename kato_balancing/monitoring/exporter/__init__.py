"""Prometheus metrics of a balancer from its access log, the same for nginx and HAProxy.

Needs ``prometheus_client`` and nothing else of this package, so that its image stays small.
"""
