"""Lines as nginx 1.30 and HAProxy 3.2 send them to the socket."""

import json
from typing import Any

HEADER = b"<190>Nov 25 03:42:43 nginx: "


def line(**changed: Any) -> bytes:
    """A line of HAProxy's access log: session s on kato-0, 12 ms, 200."""
    fields = {
        "time": "2026-11-25T03:42:43+00:00",
        "client": "172.18.0.1",
        "method": "GET",
        "path": "/sessions/s/stm",
        "status": "200",
        "seconds": "12e-3",
        "session": "s",
        "upstream": "kato-0",
        "upstream_status": "200",
        **changed,
    }
    return json.dumps(fields).encode()


def nginx_line(**changed: Any) -> bytes:
    """The same of nginx, which has the server's address and a syslog header."""
    return HEADER + line(
        **{"upstream": "172.18.0.8:8000", "seconds": "0.012", **changed},
    )


NGINX_EJECTION = (
    b"<188>Nov 25 03:42:43 nginx: 2026/11/25 03:42:43 [warn] 22#22: *17 upstream server "
    b"temporarily disabled while connecting to upstream, client: 172.18.0.1, server: _, request: "
    b'"GET /sessions/s/stm HTTP/1.1", upstream: "http://172.18.0.8:8000/sessions/s/stm", host: '
    b'"127.0.0.1:8080"'
)
HAPROXY_EJECTION = (
    b'Server kato/kato-1 is DOWN, reason: Health analyze, info: "Detected 2 consecutive errors". '
    b"2 active and 0 backup servers left."
)
OTHERS = (
    b"Server kato_events/kato-1 is DOWN via kato/kato-1. 2 active and 0 backup servers left.",
    b"Server kato/kato-1 is UP, reason: Layer7 check passed, code: 200, check duration: 23ms.",
    b"<187>Nov 25 03:42:43 nginx: 2026/11/25 03:42:43 [error] 12#12: kato-4 could not be resolved",
    b"<188>Nov 25 03:42:43 nginx: 2026/11/25 03:42:43 [warn] 22#22: *1 a client request body is "
    b"buffered to a temporary file /tmp/client_body/0000000001",
    b"",
)
