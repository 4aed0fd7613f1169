//! The fields of Compose's structures in the order in which they are written, each with its shape.
//! Source: compose-go `types/types.go`, `types/build.go`, `types/healthcheck.go`.

/// What a value looks like in canonical form.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text; other scalars are cast.
    Text,
    /// A whole number, also from text.
    Whole,
    /// A decimal number, also from text.
    Decimal,
    /// A truth value.
    Flag,
    /// A number of bytes, written as text.
    Bytes,
    /// A duration in Go's notation.
    Span,
    /// A file mode.
    Mode,
    /// A path, made absolute.
    Path,
    /// A list of texts, or one text for a list of one.
    Texts,
    /// A list of words, or a line that is split.
    Command,
    /// A health check's test.
    Test,
    /// Texts by key, from a mapping or a list of `K=V`.
    Pairs,
    /// As [`Shape::Pairs`]; values that are absent come from the environment, or not at all.
    Arguments,
    /// Hosts and addresses.
    Hosts,
    /// Published ports.
    Ports,
    /// A mount.
    Mount,
    /// A device.
    Device,
    /// Requests for devices, or the word for all of them.
    Requests,
    /// A secret of a service.
    Secret,
    /// A config of a service.
    Config,
    /// A resource limit of the kernel.
    Limit,
    /// How an image is built.
    Build,
    /// A mapping of these fields.
    Object(&'static [Field]),
    /// A list of these.
    List(&'static Shape),
    /// A mapping of names to these, or a list of names.
    MapOf(&'static Shape),
    /// As written.
    Any,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// Its value.
    pub shape: Shape,
    /// Whether it is written even when zero: the structure holds a pointer.
    pub keeps_zero: bool,
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        keeps_zero: false,
    }
}

const fn pointer(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        keeps_zero: true,
    }
}

use Shape::{
    Any, Arguments, Bytes, Command, Config, Decimal, Device, Flag, Hosts, Limit, List, MapOf, Mode,
    Mount, Object, Pairs, Path, Ports, Requests, Secret, Span, Test, Text, Texts, Whole,
};

/// A service.
pub const SERVICE: &[Field] = &[
    field("profiles", Texts),
    field("annotations", Pairs),
    pointer("attach", Flag),
    pointer("build", Shape::Build),
    pointer("develop", Any),
    pointer("blkio_config", Object(BLKIO)),
    field("cap_add", Texts),
    field("cap_drop", Texts),
    field("cgroup_parent", Text),
    field("cgroup", Text),
    field("cpu_count", Whole),
    field("cpu_percent", Decimal),
    field("cpu_period", Whole),
    field("cpu_quota", Whole),
    field("cpu_rt_period", Whole),
    field("cpu_rt_runtime", Whole),
    field("cpus", Decimal),
    field("cpuset", Text),
    field("cpu_shares", Whole),
    pointer("command", Command),
    field("configs", List(&Config)),
    field("container_name", Text),
    pointer("credential_spec", Any),
    field("depends_on", Any),
    pointer("deploy", Object(DEPLOY)),
    field("device_cgroup_rules", Texts),
    field("devices", List(&Device)),
    field("dns", Texts),
    field("dns_opt", Texts),
    field("dns_search", Texts),
    field("domainname", Text),
    pointer("entrypoint", Command),
    pointer("provider", Any),
    field("environment", Any),
    field("expose", Texts),
    field("external_links", Texts),
    field("extra_hosts", Hosts),
    field("group_add", Texts),
    field("gpus", Requests),
    field("hostname", Text),
    pointer("healthcheck", Object(HEALTH)),
    field("image", Text),
    pointer("init", Flag),
    field("ipc", Text),
    field("isolation", Text),
    field("labels", Pairs),
    field("links", Texts),
    pointer("logging", Object(LOGGING)),
    field("mem_limit", Bytes),
    field("mem_reservation", Bytes),
    field("memswap_limit", Bytes),
    field("mem_swappiness", Bytes),
    field("mac_address", Text),
    field("network_mode", Text),
    field("networks", MapOf(&Object(JOINED))),
    field("oom_kill_disable", Flag),
    field("oom_score_adj", Whole),
    field("pid", Text),
    field("pids_limit", Whole),
    field("platform", Text),
    field("ports", Ports),
    field("privileged", Flag),
    field("pull_policy", Text),
    field("read_only", Flag),
    field("restart", Text),
    field("runtime", Text),
    pointer("scale", Whole),
    field("secrets", List(&Secret)),
    field("security_opt", Texts),
    field("shm_size", Bytes),
    field("stdin_open", Flag),
    pointer("stop_grace_period", Span),
    field("stop_signal", Text),
    field("storage_opt", Pairs),
    field("sysctls", Pairs),
    field("tmpfs", Texts),
    field("tty", Flag),
    field("ulimits", MapOf(&Limit)),
    field("use_api_socket", Flag),
    field("user", Text),
    field("userns_mode", Text),
    field("uts", Text),
    field("volume_driver", Text),
    field("volumes", List(&Mount)),
    field("volumes_from", Texts),
    field("working_dir", Text),
    field("pre_start", Any),
    field("post_start", Any),
    field("pre_stop", Any),
];

const BLKIO: &[Field] = &[
    field("weight", Whole),
    field("weight_device", Any),
    field("device_read_bps", Any),
    field("device_read_iops", Any),
    field("device_write_bps", Any),
    field("device_write_iops", Any),
];

const DEPLOY: &[Field] = &[
    field("mode", Text),
    pointer("replicas", Whole),
    field("labels", Pairs),
    pointer("update_config", Object(UPDATE)),
    pointer("rollback_config", Object(UPDATE)),
    field("resources", Object(RESOURCES)),
    pointer("restart_policy", Object(RESTART)),
    field("placement", Object(PLACEMENT)),
    field("endpoint_mode", Text),
];

const UPDATE: &[Field] = &[
    pointer("parallelism", Whole),
    field("delay", Span),
    field("failure_action", Text),
    field("monitor", Span),
    field("max_failure_ratio", Decimal),
    field("order", Text),
];

const RESOURCES: &[Field] = &[
    pointer("limits", Object(AMOUNTS)),
    pointer("reservations", Object(AMOUNTS)),
];

const AMOUNTS: &[Field] = &[
    field("cpus", Decimal),
    field("memory", Bytes),
    field("pids", Whole),
    field("devices", Requests),
    field("generic_resources", Any),
];

const RESTART: &[Field] = &[
    field("condition", Text),
    pointer("delay", Span),
    pointer("max_attempts", Whole),
    pointer("window", Span),
];

const PLACEMENT: &[Field] = &[
    field("constraints", Texts),
    field("preferences", Any),
    field("max_replicas_per_node", Whole),
];

const HEALTH: &[Field] = &[
    field("test", Test),
    pointer("timeout", Span),
    pointer("interval", Span),
    pointer("retries", Whole),
    pointer("start_period", Span),
    pointer("start_interval", Span),
    field("disable", Flag),
];

const LOGGING: &[Field] = &[field("driver", Text), field("options", Pairs)];

const JOINED: &[Field] = &[
    field("aliases", Texts),
    field("driver_opts", Pairs),
    field("gw_priority", Whole),
    field("interface_name", Text),
    field("ipv4_address", Text),
    field("ipv6_address", Text),
    field("link_local_ips", Texts),
    field("mac_address", Text),
    field("priority", Whole),
];

/// A published port.
pub const PORT: &[Field] = &[
    field("name", Text),
    field("mode", Text),
    field("host_ip", Text),
    field("target", Whole),
    field("published", Text),
    field("protocol", Text),
    field("app_protocol", Text),
];

/// A mount.
pub const MOUNT: &[Field] = &[
    field("type", Text),
    field("source", Text),
    field("target", Text),
    field("read_only", Flag),
    field("consistency", Text),
    pointer(
        "bind",
        Object(&[
            field("selinux", Text),
            field("propagation", Text),
            field("recursive", Text),
        ]),
    ),
    pointer(
        "volume",
        Object(&[
            field("labels", Pairs),
            field("nocopy", Flag),
            field("subpath", Text),
        ]),
    ),
    pointer(
        "tmpfs",
        Object(&[field("size", Bytes), field("mode", Whole)]),
    ),
    pointer("image", Object(&[field("subpath", Text)])),
];

/// A device.
pub const DEVICE: &[Field] = &[
    field("source", Text),
    field("target", Text),
    field("permissions", Text),
];

/// A secret or a config of a service.
pub const GRANT: &[Field] = &[
    field("source", Text),
    field("target", Text),
    field("uid", Text),
    field("gid", Text),
    pointer("mode", Mode),
];

/// How an image is built.
pub const BUILD: &[Field] = &[
    field("context", Path),
    field("dockerfile", Text),
    field("dockerfile_inline", Text),
    field("entitlements", Texts),
    field("args", Arguments),
    field("ssh", Any),
    field("labels", Pairs),
    field("cache_from", Texts),
    field("cache_to", Texts),
    field("no_cache", Flag),
    field("no_cache_filter", Texts),
    field("additional_contexts", Pairs),
    field("pull", Flag),
    field("extra_hosts", Hosts),
    field("isolation", Text),
    field("network", Text),
    field("target", Text),
    field("secrets", List(&Secret)),
    field("shm_size", Bytes),
    field("tags", Texts),
    field("ulimits", MapOf(&Limit)),
    field("platforms", Texts),
    field("privileged", Flag),
];

/// A network of the top level.
pub const NETWORK: &[Field] = &[
    field("name", Text),
    field("driver", Text),
    field("driver_opts", Pairs),
    field(
        "ipam",
        Object(&[
            field("driver", Text),
            field(
                "config",
                List(&Object(&[
                    field("subnet", Text),
                    field("gateway", Text),
                    field("ip_range", Text),
                    field("aux_addresses", Pairs),
                ])),
            ),
            field("options", Pairs),
        ]),
    ),
    field("external", Flag),
    field("internal", Flag),
    field("attachable", Flag),
    field("labels", Pairs),
    pointer("enable_ipv4", Flag),
    pointer("enable_ipv6", Flag),
];

/// A volume of the top level.
pub const VOLUME: &[Field] = &[
    field("name", Text),
    field("driver", Text),
    field("driver_opts", Pairs),
    field("external", Flag),
    field("labels", Pairs),
];

/// A secret or config of the top level.
pub const FILE: &[Field] = &[
    field("name", Text),
    field("file", Path),
    field("environment", Text),
    field("content", Text),
    field("external", Flag),
    field("labels", Pairs),
    field("driver", Text),
    field("driver_opts", Pairs),
    field("template_driver", Text),
];

/// A request for devices.
pub const REQUEST: &[Field] = &[
    field("capabilities", Texts),
    field("driver", Text),
    field("count", Whole),
    field("device_ids", Texts),
    field("options", Pairs),
];
