//! The table of images.

use super::Entry;

/// Where Google publishes the online boutique.
macro_rules! boutique {
    ($name:literal) => {
        concat!(
            "us-central1-docker.pkg.dev/google-samples/microservices-demo/",
            $name
        )
    };
}

/// Images by their full repository.
pub(super) const ENTRIES: &[Entry] = &[
    // Web servers and proxies.
    Entry::server("docker.io/library/nginx", 72, &[80])
        .starts(80, 80)
        .costs(100, 3)
        .versions(&[(1, 31)])
        .answers(
            &["/", "/index.html", "/50x.html"],
            &["/etc/nginx", "/usr/share/nginx/html"],
        )
        .prints("start worker processes"),
    Entry::server("docker.io/library/httpd", 58, &[80])
        .starts(100, 100)
        .costs(150, 6)
        .versions(&[(2, 4)])
        .answers(&["/", "/index.html"], &["/usr/local/apache2"])
        .prints("AH00094: Command line: 'httpd -D FOREGROUND'"),
    Entry::server("docker.io/library/caddy", 20, &[80, 443, 2019])
        .costs(120, 12)
        .without_shell()
        .prints("serving initial configuration"),
    Entry::server("docker.io/library/haproxy", 40, &[]).costs(60, 8),
    Entry::server("docker.io/library/traefik", 50, &[80, 8080])
        .costs(120, 25)
        .versions(&[(1, 7), (2, 11), (3, 8)]),
    Entry::server("docker.io/library/tomcat", 180, &[8080])
        .starts(2_500, 2_500)
        .costs(1_000, 90)
        .stops(500, 143),
    Entry::server("docker.io/library/registry", 10, &[5000]).costs(300, 8),
    // Databases, caches and queues.
    Entry::server("docker.io/library/redis", 45, &[6379])
        .starts(60, 60)
        .costs(20, 3)
        .versions(&[(2, 8), (3, 2), (4, 0), (5, 0), (6, 2), (7, 4), (8, 6)])
        .prints("* Ready to accept connections tcp"),
    Entry::server("docker.io/library/valkey", 45, &[6379])
        .starts(60, 60)
        .costs(20, 3),
    Entry::server("docker.io/library/memcached", 30, &[11211])
        .starts(40, 40)
        .costs(15, 2)
        .versions(&[(1, 6)]),
    Entry::server("docker.io/library/postgres", 150, &[5432])
        .starts(2_000, 2_500)
        .costs(300, 20)
        .versions(&[
            (9, 6),
            (10, 23),
            (11, 22),
            (12, 22),
            (13, 23),
            (14, 21),
            (15, 16),
            (16, 12),
            (17, 9),
            (18, 5),
        ])
        .stops(150, 0)
        .prints("LOG:  database system is ready to accept connections"),
    Entry::server("docker.io/library/mysql", 200, &[3306, 33060])
        .starts(7_000, 7_500)
        .costs(300, 180)
        .versions(&[(5, 7), (8, 4), (9, 6)])
        .stops(1_000, 0)
        .prints("/usr/sbin/mysqld: ready for connections."),
    Entry::server("docker.io/library/mariadb", 120, &[3306])
        .starts(4_000, 4_500)
        .costs(300, 70)
        .versions(&[(5, 5), (10, 11), (11, 8), (12, 3)])
        .stops(800, 0)
        .prints("mariadbd: ready for connections."),
    Entry::server("docker.io/library/mongo", 250, &[27017])
        .starts(1_500, 1_500)
        .costs(200, 60)
        .versions(&[(3, 6), (4, 4), (5, 0), (6, 0), (7, 0), (8, 3)])
        .stops(300, 0)
        .prints("Waiting for connections"),
    Entry::server("docker.io/library/cassandra", 150, &[7000, 7199, 9042])
        .starts(25_000, 40_000)
        .costs(500, 500)
        .stops(2_000, 143),
    Entry::server(
        "docker.io/library/rabbitmq",
        105,
        &[4369, 5672, 15691, 15692, 25672],
    )
    .starts(6_000, 8_000)
    .costs(200, 80)
    .versions(&[(3, 13), (4, 3)])
    .stops(1_500, 0)
    .prints("Server startup complete"),
    Entry::server("docker.io/library/nats", 10, &[4222, 6222, 8222])
        .starts(30, 30)
        .costs(20, 6),
    Entry::server(
        "docker.io/library/zookeeper",
        120,
        &[2181, 2888, 3888, 8080],
    )
    .starts(2_000, 2_500)
    .costs(200, 60),
    Entry::server("docker.io/library/influxdb", 170, &[8086])
        .starts(1_500, 1_500)
        .costs(400, 40),
    Entry::server("docker.io/library/elasticsearch", 600, &[9200, 9300])
        .starts(15_000, 20_000)
        .costs(2_000, 700)
        .versions(&[(5, 6), (6, 8), (7, 17), (8, 19), (9, 3)])
        .stops(1_500, 143)
        .prints("started"),
    Entry::server("docker.io/library/logstash", 450, &[5044, 9600])
        .starts(15_000, 20_000)
        .costs(1_000, 400)
        .versions(&[(5, 6), (6, 8), (7, 17), (8, 19), (9, 3)])
        .stops(2_000, 0),
    Entry::server("docker.io/library/kibana", 450, &[5601])
        .starts(10_000, 15_000)
        .costs(3_000, 300)
        .versions(&[(5, 6), (6, 8), (7, 17), (8, 19), (9, 3)]),
    // Applications.
    Entry::server("docker.io/library/wordpress", 240, &[80])
        .starts(800, 1_500)
        .costs(20_000, 30)
        .versions(&[(5, 9), (6, 9)]),
    Entry::server("docker.io/library/nextcloud", 420, &[80])
        .starts(4_000, 8_000)
        .costs(30_000, 40)
        .versions(&[
            (25, 0),
            (26, 0),
            (27, 1),
            (28, 0),
            (29, 0),
            (30, 0),
            (31, 0),
            (32, 0),
            (33, 0),
        ]),
    Entry::server("docker.io/library/ghost", 200, &[2368])
        .starts(4_000, 6_000)
        .costs(15_000, 100),
    Entry::server("docker.io/library/drupal", 180, &[80])
        .starts(600, 800)
        .costs(20_000, 30),
    Entry::server("docker.io/library/adminer", 40, &[8080]).costs(5_000, 10),
    Entry::server("docker.io/library/phpmyadmin", 200, &[80]).costs(10_000, 20),
    Entry::server("docker.io/gitea/gitea", 75, &[22, 3000])
        .starts(1_500, 2_500)
        .costs(5_000, 80),
    Entry::server("docker.io/grafana/grafana", 180, &[3000])
        .starts(3_000, 5_000)
        .costs(3_000, 60)
        .prints("HTTP Server Listen"),
    Entry::server("docker.io/prom/prometheus", 110, &[9090])
        .starts(500, 1_000)
        .costs(500, 30)
        .prints("Server is ready to receive web requests."),
    Entry::server("docker.io/prom/alertmanager", 30, &[9093, 9094]).costs(300, 15),
    Entry::server("docker.io/prom/node-exporter", 12, &[9100])
        .starts(50, 50)
        .costs(5_000, 8)
        .without_shell()
        .stops(10, 143),
    Entry::server("docker.io/containous/whoami", 3, &[80])
        .starts(10, 10)
        .costs(50, 3)
        .without_shell()
        .stops(5, 2),
    Entry::server("docker.io/traefik/whoami", 3, &[80])
        .starts(10, 10)
        .costs(50, 3)
        .without_shell()
        .stops(5, 2)
        .prints("Starting up on port 80"),
    Entry::server("docker.io/nginxdemos/hello", 20, &[80])
        .starts(80, 80)
        .costs(120, 3),
    Entry::server("docker.io/hashicorp/http-echo", 4, &[5678])
        .starts(10, 10)
        .costs(50, 3)
        .without_shell()
        .prints("server is listening on :5678"),
    Entry::server("docker.io/redislabs/redismod", 350, &[6379])
        .starts(400, 600)
        .costs(30, 15),
    Entry::server("docker.io/portainer/portainer-ce", 90, &[8000, 9000, 9443])
        .starts(700, 1_200)
        .without_shell(),
    Entry::server("docker.io/tensorflow/serving", 230, &[8500, 8501])
        .starts(3_000, 6_000)
        .costs(20_000, 90)
        .ignores_stop(),
    Entry::server("docker.io/vllm/vllm-openai", 6_500, &[8000])
        .starts(60_000, 120_000)
        .costs(200_000, 4_000),
    // Operating systems and languages: nothing runs unless told so.
    Entry::tool("docker.io/library/busybox", 2).versions(&[(1, 38)]),
    Entry::tool("docker.io/library/alpine", 4).versions(&[(2, 7), (3, 24)]),
    Entry::tool("docker.io/library/ubuntu", 30).versions(&[
        (14, 4),
        (16, 4),
        (18, 4),
        (20, 4),
        (22, 10),
        (23, 10),
        (24, 10),
        (25, 10),
        (26, 10),
    ]),
    Entry::tool("docker.io/library/debian", 49).versions(&[
        (8, 11),
        (9, 13),
        (10, 13),
        (11, 11),
        (12, 14),
        (13, 5),
    ]),
    Entry::tool("docker.io/library/fedora", 70),
    Entry::tool("docker.io/library/centos", 76),
    Entry::tool("docker.io/library/rockylinux", 70),
    Entry::tool("docker.io/library/bash", 6),
    Entry::tool("docker.io/library/perl", 340),
    Entry::tool("docker.io/library/python", 360).versions(&[(2, 7), (3, 15)]),
    Entry::tool("docker.io/library/node", 390).versions(&[
        (8, 17),
        (10, 24),
        (12, 22),
        (14, 21),
        (16, 20),
        (18, 20),
        (19, 9),
        (20, 20),
        (21, 7),
        (22, 24),
        (23, 11),
        (24, 16),
        (25, 9),
        (26, 6),
    ]),
    Entry::tool("docker.io/library/golang", 300).versions(&[(1, 27)]),
    Entry::tool("docker.io/library/rust", 560).versions(&[(1, 99)]),
    Entry::tool("docker.io/library/ruby", 370).versions(&[(2, 7), (3, 4), (4, 0)]),
    Entry::tool("docker.io/library/php", 180).versions(&[(5, 6), (7, 4), (8, 5)]),
    Entry::tool("docker.io/library/openjdk", 240),
    Entry::tool("docker.io/library/eclipse-temurin", 220),
    Entry::tool("docker.io/library/maven", 300).ends(300, 1),
    Entry::tool("docker.io/library/docker", 130),
    Entry::tool("docker.io/curlimages/curl", 8).ends(10, 2),
    Entry::tool("docker.io/library/hello-world", 1)
        .without_shell()
        .prints("Hello from Docker!"),
    Entry::tool("docker.io/polinux/stress", 5),
    // Kubernetes' own.
    Entry::server("registry.k8s.io/pause", 1, &[])
        .works()
        .starts(5, 5)
        .costs(0, 0)
        .without_shell()
        .stops(5, 0),
    Entry::server("registry.k8s.io/e2e-test-images/agnhost", 50, &[])
        .starts(20, 20)
        .costs(50, 5)
        .stops(5, 2),
    Entry::server("registry.k8s.io/e2e-test-images/nginx", 50, &[80])
        .starts(80, 80)
        .costs(100, 3),
    Entry::tool("registry.k8s.io/e2e-test-images/busybox", 2),
    Entry::tool("registry.k8s.io/busybox", 2),
    Entry::server("registry.k8s.io/echoserver", 45, &[8080]).costs(200, 5),
    Entry::server("registry.k8s.io/hpa-example", 180, &[80])
        .starts(300, 300)
        .costs(80_000, 20),
    Entry::server("registry.k8s.io/nginx-slim", 50, &[80])
        .starts(80, 80)
        .costs(100, 3),
    Entry::server(
        "registry.k8s.io/coredns/coredns",
        16,
        &[53, 8080, 8181, 9153],
    )
    .starts(200, 400)
    .costs(50, 15)
    .without_shell(),
    Entry::server("registry.k8s.io/guestbook", 20, &[3000])
        .starts(50, 50)
        .costs(300, 8)
        .stops(5, 2),
    Entry::server("gcr.io/google-samples/hello-app", 5, &[8080])
        .starts(10, 10)
        .costs(80, 4)
        .stops(5, 2),
    Entry::server("gcr.io/google-samples/node-hello", 250, &[8080])
        .starts(300, 300)
        .costs(500, 25)
        .ignores_stop(),
    Entry::server("gcr.io/google-samples/gb-frontend", 200, &[80])
        .starts(300, 400)
        .costs(3_000, 15),
    Entry::server("gcr.io/google_samples/gb-frontend", 200, &[80])
        .starts(300, 400)
        .costs(3_000, 15),
    Entry::server(
        "us-docker.pkg.dev/google-samples/containers/gke/gb-frontend",
        200,
        &[80],
    )
    .starts(300, 400)
    .costs(3_000, 15),
    Entry::server("gcr.io/google-samples/gb-redis-follower", 40, &[6379])
        .starts(80, 150)
        .costs(20, 3),
    Entry::server("gcr.io/google_samples/gb-redis-follower", 40, &[6379])
        .starts(80, 150)
        .costs(20, 3),
    Entry::server("gcr.io/google_samples/gb-redisslave", 40, &[6379])
        .starts(80, 150)
        .costs(20, 3),
    Entry::server("gcr.io/google-samples/gb-redisslave", 40, &[6379])
        .starts(80, 150)
        .costs(20, 3),
    Entry::server(
        "gcr.io/google-samples/cassandra",
        130,
        &[7000, 7001, 7199, 9042],
    )
    .starts(25_000, 40_000)
    .costs(500, 500)
    .stops(2_000, 143),
    // The voting app.
    Entry::server("docker.io/dockersamples/examplevotingapp_vote", 55, &[80])
        .starts(700, 900)
        .costs(4_000, 40)
        .prints("[INFO] Listening at: http://0.0.0.0:80"),
    Entry::server("docker.io/dockersamples/examplevotingapp_result", 85, &[80])
        .starts(500, 700)
        .costs(1_500, 35)
        .stops(20, 143)
        .prints("App running on port 80"),
    Entry::server("docker.io/dockersamples/examplevotingapp_worker", 85, &[])
        .works()
        .starts(600, 1_200)
        .costs(1_000, 30)
        .stops(100, 143)
        .prints("Connected to db"),
    // Podium's own examples.
    Entry::server("docker.io/podium/poll", 30, &[80])
        .starts(500, 800)
        .costs(3_000, 24)
        .prints("poll: listening on :80"),
    Entry::server("docker.io/podium/tally", 30, &[80])
        .starts(400, 600)
        .costs(1_500, 24)
        .prints("tally: listening on :80"),
    Entry::server("docker.io/podium/counter", 20, &[])
        .works()
        .starts(300, 600)
        .costs(800, 16)
        .prints("counter: waiting for votes"),
    // The online boutique.
    Entry::server(boutique!("adservice"), 130, &[9555])
        .starts(4_000, 6_000)
        .costs(800, 90)
        .stops(500, 143),
    Entry::server(boutique!("cartservice"), 40, &[7070])
        .starts(900, 1_200)
        .costs(600, 30)
        .stops(100, 143),
    Entry::server(boutique!("checkoutservice"), 15, &[5050])
        .starts(50, 100)
        .costs(1_500, 8)
        .stops(5, 2),
    Entry::server(boutique!("currencyservice"), 80, &[7000])
        .starts(700, 1_000)
        .costs(300, 35)
        .ignores_stop(),
    Entry::server(boutique!("emailservice"), 60, &[8080])
        .starts(1_500, 2_000)
        .costs(800, 30)
        .ignores_stop(),
    Entry::server(boutique!("frontend"), 20, &[8080])
        .starts(80, 150)
        .costs(3_000, 10)
        .stops(5, 2),
    Entry::server(boutique!("loadgenerator"), 70, &[])
        .works()
        .starts(1_500, 2_000)
        .costs(0, 50),
    Entry::server(boutique!("paymentservice"), 80, &[50051])
        .starts(700, 1_000)
        .costs(400, 35)
        .ignores_stop(),
    Entry::server(boutique!("productcatalogservice"), 15, &[3550])
        .starts(50, 100)
        .costs(500, 8)
        .stops(5, 2),
    Entry::server(boutique!("recommendationservice"), 60, &[8080])
        .starts(1_500, 2_000)
        .costs(1_200, 40)
        .ignores_stop(),
    Entry::server(boutique!("shippingservice"), 15, &[50051])
        .starts(50, 100)
        .costs(300, 8)
        .stops(5, 2),
    Entry::server(boutique!("shoppingassistantservice"), 120, &[8080])
        .starts(2_000, 3_000)
        .costs(5_000, 60)
        .ignores_stop(),
];

/// Repositories of which every image behaves alike, by the prefix before a slash.
pub(super) const FAMILIES: &[Entry] = &[Entry::server("docker.io/hashicorp", 60, &[])
    .starts(500, 1_000)
    .costs(500, 20)];
