"""The dev stack's containers declared by hand: no component, no model, no validation.

Same images, network, volume, health checks, waiting and order as the product's stack.
"""

import pulumi
import pulumi_docker as docker

PORT = pulumi.Config().require_int("port")
SERVERS = "\n".join(
    f"server kato-{i}:8000 weight=64 max_fails=2 fail_timeout=5s resolve;" for i in range(5)
)
NGINX = f"""
pid /tmp/nginx.pid;
events {{ }}
http {{
  client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;
  uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
  resolver 127.0.0.11 valid=1s ipv6=off;
  map $uri $session {{ "~^/sessions/(?<id>[A-Za-z0-9_-]+)" $id; default ""; }}
  upstream kato {{ zone kato 1m; hash $session consistent; {SERVERS} keepalive_timeout 4s; }}
  server {{ listen 8080; location / {{ proxy_pass http://kato; }} }}
  server {{ listen 8081; location / {{ return 200 ok; }} }}
}}
"""
HEALTH = (
    "import http.client as h;c=h.HTTPConnection('127.0.0.1',8000,timeout=5);"
    "c.request('GET','/health');exit(c.getresponse().status!=200)"
)


def check(*tests: str) -> docker.ContainerHealthcheckArgs:
    return docker.ContainerHealthcheckArgs(
        tests=list(tests), interval="2s", timeout="5s", retries=3, start_period="50s"
    )


def on(network: docker.Network, alias: str) -> list[docker.ContainerNetworksAdvancedArgs]:
    return [docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=[alias])]


network = docker.Network("network")
volume = docker.Volume("data")
redis = docker.Container(
    "redis",
    image="kato-lb/redis:8.0",
    command=["redis-server", "--appendonly", "yes", "--protected-mode", "no"],
    networks_advanced=on(network, "redis"),
    volumes=[docker.ContainerVolumeArgs(container_path="/data", volume_name=volume.name)],
    healthcheck=check("CMD-SHELL", "redis-cli ping | grep -q PONG"),
    wait=True,
    wait_timeout=120,
    restart="unless-stopped",
    destroy_grace_seconds=20,
)
previous: list[pulumi.Resource] = [redis]
for i in range(3):
    previous = [
        docker.Container(
            f"kato-{i}",
            image="kato-lb/kato-stand-in:6.3.0",
            envs=["REDIS_URL=redis://redis:6379", "REDIS_ENABLED=true", "KATO_WORKERS=1"],
            networks_advanced=on(network, f"kato-{i}"),
            healthcheck=check("CMD", "python", "-c", HEALTH),
            wait=True,
            wait_timeout=120,
            restart="unless-stopped",
            destroy_grace_seconds=45,
            opts=pulumi.ResourceOptions(depends_on=previous),
        )
    ]
docker.Container(
    "nginx",
    image="kato-lb/nginx:1.30",
    entrypoints=["nginx"],
    command=["-e", "/dev/stderr", "-c", "/etc/kato/nginx.conf", "-g", "daemon off;"],
    networks_advanced=on(network, "nginx"),
    uploads=[docker.ContainerUploadArgs(file="/etc/kato/nginx.conf", content=NGINX)],
    ports=[docker.ContainerPortArgs(internal=8080, external=PORT, ip="127.0.0.1")],
    healthcheck=check("CMD-SHELL", "curl -fsS http://127.0.0.1:8081/"),
    wait=True,
    wait_timeout=120,
    restart="unless-stopped",
    stop_signal="SIGQUIT",
    destroy_grace_seconds=40,
)
