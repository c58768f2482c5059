"""A sound nginx configuration: every rule's example is this file with one thing changed."""

from typing import Final

NGINX_BASE: Final = """\
worker_processes auto;
worker_shutdown_timeout 35s;
events { worker_connections 4096; }
http {
    server_tokens off;
    client_max_body_size 100m;
    keepalive_min_timeout 10s;
    resolver 127.0.0.11 valid=5s;
    resolver_timeout 2s;
    map $uri $path_session {
        "~^/sessions/(?!(?:count|test)(?:/|$))(?<id>[A-Za-z0-9_-]{1,128})(?:/|$)" $id;
        default "";
    }
    map $path_session $session {
        "" $http_x_session_id;
        default $path_session;
    }
    upstream kato {
        zone kato 1m;
        hash $session consistent;
        server kato-0:8000 resolve weight=64 max_fails=2 fail_timeout=5s;
        server kato-1:8000 resolve weight=64 max_fails=2 fail_timeout=5s;
        keepalive 32;
        keepalive_timeout 4s;
    }
    server {
        listen 8080;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_connect_timeout 1s;
        proxy_read_timeout 300s;
        proxy_next_upstream error timeout;
        proxy_next_upstream_tries 3;
        proxy_next_upstream_timeout 10s;
        location / {
            proxy_pass http://kato;
        }
        location = /status {
            return 404;
        }
        location = /ws/events {
            proxy_pass http://kato;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 1h;
        }
    }
}
"""
