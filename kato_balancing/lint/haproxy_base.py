"""A sound HAProxy configuration: every rule's example is this file with one thing changed."""

from typing import Final

HAPROXY_BASE: Final = """\
global
    stats socket /tmp/haproxy.sock mode 600 level admin
    hard-stop-after 35s

defaults
    mode http
    option idle-close-on-response
    option redispatch 1
    timeout connect 1s
    timeout client 305s
    timeout server 300s
    timeout http-request 10s
    timeout queue 5s
    timeout check 1s
    timeout tunnel 1h

resolvers dns
    nameserver d1 127.0.0.11:53

frontend clients
    bind :8080
    http-request set-var(txn.path) path,url_dec
    acl session_path var(txn.path) -m beg /sessions/
    http-request set-var(txn.session) var(txn.path),field(3,/) if session_path
    http-request unset-var(txn.session) if { var(txn.session) -m str count test }
    http-request set-var(txn.session) req.hdr(x-session-id) if !{ var(txn.session) -m found }
    http-request return status 404 if { var(txn.path) -m beg /status }
    default_backend kato

backend kato
    balance hash var(txn.session)
    hash-type consistent crc32 avalanche
    option httpchk
    http-check send meth GET uri /health ver HTTP/1.1 hdr Host kato
    http-check expect status 200
    default-server check inter 1s fastinter 200ms rise 2 fall 2 weight 128
    default-server maxconn 90 pool-purge-delay 1s resolvers dns init-addr none
    server kato-0 kato-0:8000 id 1001
    server kato-1 kato-1:8000 id 1002
"""
