//! What images start when nothing else is asked for: their entry points and default commands, as
//! `docker ps` shows them. Source: the images' `Dockerfile`s in docker-library.

/// Repository, entry point, default command.
const STARTS: &[(&str, &str, &str)] = &[
    ("docker.io/library/alpine", "", "/bin/sh"),
    ("docker.io/library/busybox", "", "sh"),
    (
        "docker.io/library/caddy",
        "",
        "caddy run --config /etc/caddy/Caddyfile --adapter caddyfile",
    ),
    ("docker.io/library/debian", "", "bash"),
    ("docker.io/library/golang", "", "bash"),
    (
        "docker.io/library/haproxy",
        "docker-entrypoint.sh",
        "haproxy -f /usr/local/etc/haproxy/haproxy.cfg",
    ),
    ("docker.io/library/hello-world", "", "/hello"),
    ("docker.io/library/httpd", "", "httpd-foreground"),
    (
        "docker.io/library/mariadb",
        "docker-entrypoint.sh",
        "mariadbd",
    ),
    (
        "docker.io/library/memcached",
        "docker-entrypoint.sh",
        "memcached",
    ),
    ("docker.io/library/mongo", "docker-entrypoint.sh", "mongod"),
    ("docker.io/library/mysql", "docker-entrypoint.sh", "mysqld"),
    (
        "docker.io/library/nextcloud",
        "/entrypoint.sh",
        "apache2-foreground",
    ),
    (
        "docker.io/library/nginx",
        "/docker-entrypoint.sh",
        "nginx -g 'daemon off;'",
    ),
    ("docker.io/library/node", "docker-entrypoint.sh", "node"),
    (
        "docker.io/library/postgres",
        "docker-entrypoint.sh",
        "postgres",
    ),
    ("docker.io/library/python", "", "python3"),
    (
        "docker.io/library/rabbitmq",
        "docker-entrypoint.sh",
        "rabbitmq-server",
    ),
    (
        "docker.io/library/redis",
        "docker-entrypoint.sh",
        "redis-server",
    ),
    ("docker.io/library/traefik", "/entrypoint.sh", "traefik"),
    ("docker.io/library/ubuntu", "", "/bin/bash"),
    (
        "docker.io/library/valkey",
        "docker-entrypoint.sh",
        "valkey-server",
    ),
    (
        "docker.io/library/wordpress",
        "docker-entrypoint.sh",
        "apache2-foreground",
    ),
    (
        "docker.io/prom/prometheus",
        "/bin/prometheus",
        "--config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/prometheus",
    ),
    ("docker.io/grafana/grafana", "/run.sh", ""),
];

/// Entry point and default command of a repository's images; none: not known.
pub fn start(repository: &str) -> Option<(&'static str, &'static str)> {
    STARTS
        .iter()
        .find(|(known, ..)| *known == repository)
        .map(|(_, entry, command)| (*entry, *command))
}
