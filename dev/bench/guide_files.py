"""What the guide's readers would run: its configurations as it has them, with servers on this
machine in place of names.

nginx: each is a file of the folder that nginx's stock ``nginx.conf`` includes, so the stock file's
own settings stand around it; its log goes to the container's output, as in nginx's image. HAProxy:
``mode http`` is added, without which the guide's cookie is ignored.
"""

from collections.abc import Sequence

_STOCK_NGINX = """\
worker_processes auto;
error_log /dev/stderr notice;
pid /tmp/nginx.pid;
events {{
    worker_connections 1024;
}}
http {{
    default_type application/octet-stream;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /dev/stdout main;
    sendfile on;
    keepalive_timeout 65;
{site}
}}
"""

_ROUND_ROBIN = """
upstream kato_backend {{
{servers}
}}

server {{
    listen {port};
    server_name kato.example.com;

    location / {{
        proxy_pass http://kato_backend;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;

        # Timeouts
        proxy_connect_timeout 10s;
        proxy_send_timeout 30s;
        proxy_read_timeout 30s;
    }}
}}
"""

_SESSION_HASH = """
upstream kato_backend {{
    hash $session_id consistent;
{servers}
}}

map $request_uri $session_id {{
    ~^/sessions/(?<sid>[^/]+) $sid;
    default "";
}}

server {{
    listen {port};

    location / {{
        proxy_pass http://kato_backend;
        proxy_set_header X-Session-ID $session_id;
    }}
}}
"""

_HAPROXY_COOKIE = """\
frontend kato_front
    mode http
    bind *:{port}
    default_backend kato_servers

backend kato_servers
    mode http
    balance roundrobin
    cookie SERVERID insert indirect nocache
{servers}
"""


def nginx_round_robin(port: int, servers: Sequence[int]) -> str:
    """The guide's round robin, listening on the port, in front of these ports of this machine."""
    return _nginx(_ROUND_ROBIN, port, servers)


def nginx_session_hash(port: int, servers: Sequence[int]) -> str:
    """The guide's session hash."""
    return _nginx(_SESSION_HASH, port, servers)


def haproxy_cookie(port: int, servers: Sequence[int]) -> str:
    """The guide's cookie, with ``mode http``."""
    lines = (
        f"    server kato{i} 127.0.0.1:{server} check cookie kato{i}"
        for i, server in enumerate(servers, 1)
    )
    return _HAPROXY_COOKIE.format(port=port, servers="\n".join(lines))


def _nginx(site: str, port: int, servers: Sequence[int]) -> str:
    lines = "\n".join(f"    server 127.0.0.1:{server};" for server in servers)
    return _STOCK_NGINX.format(site=site.format(port=port, servers=lines))
