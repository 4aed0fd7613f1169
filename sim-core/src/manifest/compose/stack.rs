//! A stack file to a stack: the older format 3, as `docker stack deploy` reads it.
//! Source: docker/cli `cli/compose/loader`, `cli/compose/convert`, `cli/compose/types`.

use std::sync::Arc;

use crate::api::compose::project::Resource;
use crate::api::compose::service::Restart;
use crate::api::swarm::options::{ContainerOptions, FileTarget};
use crate::api::swarm::service::{
    ContainerSpec, EndpointMode, FailureAction, Placement, PublishMode, PublishedPort,
    RestartCondition, RestartPolicy, ServiceMode, ServiceSpec, TaskSpec, UpdateConfig, UpdateOrder,
};
use crate::api::swarm::stack::{Stack, StackNetwork};
use crate::base::arrange::Arrange;
use crate::base::sentence::catalogue;
use crate::base::sorted::SortedMap;
use crate::base::time::SimDuration;
use crate::manifest::compose::loaded::{Loaded, OtherFiles, Texts, Variables, relative};
use crate::manifest::compose::project::{extensions, resource};
use crate::manifest::compose::service::parse_restart;
use crate::manifest::compose::{interpolate, part, port, stack_container, stack_merge};
use crate::manifest::decode::amount;
use crate::manifest::decode::scribe::{Field, Scribe};
use crate::manifest::diagnostic::{Code, Report, Severity};
use crate::manifest::explain;
use crate::manifest::lines::{Source, Span};
use crate::manifest::schema::compose;
use crate::manifest::schema::suggest::nearest;
use crate::manifest::tree::Node;

/// Options that the command names and ignores. Source: docker/cli `cli/compose/types/types.go`.
const IGNORED: [&str; 16] = [
    "build",
    "cgroup_parent",
    "cgroupns_mode",
    "devices",
    "domainname",
    "external_links",
    "ipc",
    "links",
    "mac_address",
    "network_mode",
    "pid",
    "privileged",
    "restart",
    "security_opt",
    "shm_size",
    "userns_mode",
];

/// Options that the command calls deprecated, with its reasons.
const DEPRECATED: [(&str, &str); 2] = [
    (
        "container_name",
        "Setting the container name is not supported.",
    ),
    (
        "expose",
        "Exposing ports is unnecessary - services on the same network can access each other's containers on any port.",
    ),
];

/// Options that make the command refuse the file, with its advice.
const FORBIDDEN: [(&str, &str); 8] = [
    ("extends", "Support for `extends` is not implemented yet."),
    (
        "volume_driver",
        "Instead of setting the volume driver on the service, define a volume using the top-level `volumes` option and specify the driver there.",
    ),
    (
        "volumes_from",
        "To share a volume between services, define it using the top-level `volumes` option and reference it from each service that shares it using the service-level `volumes` option.",
    ),
    ("cpu_quota", "Set resource limits using deploy.resources"),
    ("cpu_shares", "Set resource limits using deploy.resources"),
    ("cpuset", "Set resource limits using deploy.resources"),
    ("mem_limit", "Set resource limits using deploy.resources"),
    (
        "memswap_limit",
        "Set resource limits using deploy.resources",
    ),
];

/// Smallest memory amount of a service. Source: SwarmKit `manager/controlapi/service.go`.
const MEMORY_BYTES_MIN: u64 = 4 << 20;

const CODE: Code = explain::STACK_INVALID_VALUE;

/// Reads a stack file. `variables` is the environment of the command; a stack reads no `.env`.
pub fn load_stack(
    file: &Source,
    stack: &str,
    variables: &Variables,
    others: OtherFiles<'_>,
) -> Loaded<Stack> {
    load_stack_files(std::slice::from_ref(file), stack, variables, others)
}

/// Reads several files, each over the ones before. Paths are relative to the first.
pub fn load_stack_files(
    files: &[Source],
    stack: &str,
    variables: &Variables,
    others: OtherFiles<'_>,
) -> Loaded<Stack> {
    let mut texts = Texts::default();
    let documents: Vec<Node> = files
        .iter()
        .filter_map(|file| texts.read(&file.name, &file.text).into_iter().next())
        .collect();
    let first_name: &str = files.first().map_or("", |file| &file.name);
    let scribe = Scribe::new(explain::STACK_WRONG_TYPE, texts.iter());
    let mut model = None;
    let mut not_modelled = Vec::new();
    let mut known = Vec::new();
    let mut roots = documents.into_iter();
    match roots.next() {
        Some(mut root) if root.as_map().is_some() => {
            stray_dollars(&root, "", &scribe);
            interpolate::tree(&mut root, variables, &scribe);
            let report = Report::new(&texts.sources);
            compose::check(&root, compose::Format::Stack, &report);
            for mut over in roots {
                stray_dollars(&over, "", &scribe);
                interpolate::tree(&mut over, variables, &scribe);
                compose::check(&over, compose::Format::Stack, &report);
                let (first, second) = (stack_merge::version(&root), stack_merge::version(&over));
                if let (Some(first), Some(second)) = (&first, &second)
                    && first != second
                {
                    let message = format!(
                        "version mismatched between two composefiles : {first} and {second}"
                    );
                    scribe.error(CODE, over.span, message);
                }
                root = stack_merge::merge(root, over);
            }
            known = report.finish();
            let reader = Reader {
                scribe: &scribe,
                stack,
                variables,
                others,
                file: first_name,
            };
            model = Some(reader.stack(&root));
            not_modelled = scribe.unread(&root);
        }
        Some(root) => scribe.error(
            explain::STACK_WRONG_TYPE,
            root.span,
            "Top-level object must be a mapping",
        ),
        None if texts.problems.is_empty() => {
            scribe.error(
                explain::STACK_MISSING_PROPERTY,
                Span::default(),
                "empty compose file",
            );
        }
        None => {}
    }
    // The command looks for refused options before it looks at the schema, which lacks them.
    known.retain(|problem| !scribe.has(explain::STACK_FORBIDDEN_OPTION, problem.span));
    scribe.join(known);
    let mut problems = texts.problems;
    problems.extend(scribe.into_problems());
    problems.arrange_by_key(|problem| problem.span);
    if problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
    {
        model = None;
    }
    Loaded {
        model,
        problems,
        not_modelled,
        sources: texts.sources,
    }
}

/// A dollar that begins no variable is refused here, while Compose takes it as it stands.
/// Source: docker/cli `cli/compose/template/template.go`.
fn stray_dollars(node: &Node, path: &str, scribe: &Scribe) {
    if let Some(entries) = node.as_map() {
        for entry in entries {
            let path = match path {
                "" => entry.key.text.to_string(),
                path => format!("{path}.{}", entry.key.text),
            };
            stray_dollars(&entry.value, &path, scribe);
        }
    } else if let Some(items) = node.as_seq() {
        for (number, item) in items.iter().enumerate() {
            stray_dollars(item, &format!("{path}.{number}"), scribe);
        }
    } else if let Some(text) = node.as_str() {
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                rest = after;
            } else if !rest.starts_with(|letter: char| {
                letter == '{' || letter == '_' || letter.is_ascii_alphabetic()
            }) {
                let message = format!(
                    "invalid interpolation format for {path}: {text:?}; you may need to escape any $ with another $"
                );
                scribe.error(CODE, node.span, message);
                return;
            }
        }
    }
}

struct Reader<'a> {
    scribe: &'a Scribe,
    stack: &'a str,
    variables: &'a Variables,
    others: OtherFiles<'a>,
    file: &'a str,
}

/// Networks, volumes, configs and secrets by key.
struct Top {
    networks: SortedMap<Arc<str>, Resource>,
    volumes: SortedMap<Arc<str>, Resource>,
    configs: SortedMap<Arc<str>, Resource>,
    secrets: SortedMap<Arc<str>, Resource>,
}

impl Reader<'_> {
    fn stack(&self, root: &Node) -> Stack {
        let field = Field::root(root);
        extensions(root, self.scribe);
        field.get(self.scribe, "version");
        for (kind, word) in [
            ("volumes", "volume"),
            ("networks", "network"),
            ("configs", "config"),
            ("secrets", "secret"),
        ] {
            stack_container::check_external(&field.peek(kind), word, self.scribe, CODE);
        }
        let mut top = Top {
            networks: self.resources(&field, "networks"),
            volumes: self.resources(&field, "volumes"),
            configs: self.resources(&field, "configs"),
            secrets: self.resources(&field, "secrets"),
        };
        top.networks
            .entry("default".into())
            .or_insert_with(|| Resource {
                name: format!("{}_default", self.stack).into(),
                ..Resource::default()
            });
        let mut services = Vec::new();
        for (key, inner) in field.get(self.scribe, "services").entries(self.scribe) {
            if let Some(node) = inner.node {
                extensions(node, self.scribe);
            }
            self.options(&inner);
            let spec = self.service(&key.text, key.span, &inner, &top);
            services.push((spec, inner));
        }
        self.check_ports(&services);
        for (spec, _) in &mut services {
            spec.ports.arrange_by_key(|port| port.published);
        }
        services.arrange_by(|one, two| one.0.name.cmp(&two.0.name));
        let used = |name: &Arc<str>| {
            services
                .iter()
                .any(|(spec, _)| spec.task.networks.contains(name))
        };
        let mut networks: Vec<StackNetwork> = top
            .networks
            .values()
            .filter(|network| used(&network.name))
            .map(|network| StackNetwork {
                name: network.name.clone(),
                external: network.external,
            })
            .collect();
        networks.arrange_by(|one, two| one.name.cmp(&two.name));
        let made = |map: &SortedMap<Arc<str>, Resource>| {
            map.values()
                .filter(|resource| !resource.external)
                .map(|resource| resource.name.clone())
                .collect()
        };
        let (configs, secrets) = (made(&top.configs), made(&top.secrets));
        let mut contents = SortedMap::new();
        for (key, resources) in [("configs", &top.configs), ("secrets", &top.secrets)] {
            for (name, inner) in field.get(self.scribe, key).entries(self.scribe) {
                let path = inner.get(self.scribe, "file").scalar(self.scribe);
                let text = path.and_then(|path| (self.others)(&relative(self.file, &path)));
                if let (Some(text), Some(resource)) = (text, resources.get(&name.text)) {
                    contents.insert(resource.name.clone(), text);
                }
            }
        }
        let services = services.into_iter().map(|(spec, _)| spec).collect();
        Stack {
            name: self.stack.into(),
            services,
            networks,
            configs,
            secrets,
            contents,
        }
    }

    fn resources(&self, field: &Field<'_>, key: &str) -> SortedMap<Arc<str>, Resource> {
        field
            .get(self.scribe, key)
            .entries(self.scribe)
            .into_iter()
            .map(|(key, inner)| {
                (
                    key.text.clone(),
                    resource(&key.text, &inner, self.scribe, self.stack),
                )
            })
            .collect()
    }

    /// Options that are ignored, deprecated or refused.
    fn options(&self, service: &Field<'_>) {
        for entry in service
            .node
            .and_then(|node| node.as_map())
            .unwrap_or_default()
        {
            let name = &*entry.key.text;
            let span = entry.key.span;
            if IGNORED.contains(&name) {
                let message = format!("Ignoring unsupported options: {name}");
                self.scribe
                    .warning(explain::STACK_IGNORED_OPTION, span, message);
            } else if let Some((_, reason)) = DEPRECATED.iter().find(|(option, _)| *option == name)
            {
                let message = format!("Ignoring deprecated options: {name}: {reason}");
                self.scribe
                    .warning(explain::STACK_DEPRECATED_OPTION, span, message);
            } else if let Some((_, advice)) = FORBIDDEN.iter().find(|(option, _)| *option == name) {
                let message = format!("compose file contains unsupported options: {name}");
                self.scribe.error_with_help(
                    explain::STACK_FORBIDDEN_OPTION,
                    span,
                    message,
                    (*advice).into(),
                );
                self.scribe.mark(&entry.key);
                self.scribe.mark_below(&entry.value);
            }
        }
    }

    fn service(&self, key: &Arc<str>, span: Span, field: &Field<'_>, top: &Top) -> ServiceSpec {
        let scribe = self.scribe;
        field.expect_map(scribe);
        let deploy = field.get(scribe, "deploy");
        let image_field = field.get(scribe, "image");
        let wrong = |text: &str| format!("ContainerSpec: {text:?} is not a valid repository/tag");
        let image = part::image(&image_field, scribe, CODE, &wrong);
        if image.is_empty() {
            let message = "ContainerSpec: image reference must be provided";
            let help = catalogue::IMAGE_NEEDED_STACK.with(&[("service", key)]);
            scribe.error_with_help(CODE, span, message, help);
        }
        let mut labels = part::labels(&deploy.get(scribe, "labels"), scribe);
        labels.insert("com.docker.stack.image".into(), image.clone());
        labels.insert("com.docker.stack.namespace".into(), self.stack.into());
        let seconds = SimDuration::from_secs;
        let grants = |key: &str, word: &str, declared: &SortedMap<Arc<str>, Resource>| {
            let list = field.get(scribe, key);
            list.node
                .into_iter()
                .for_each(|node| scribe.mark_below(node));
            let used = part::grants(&list, scribe).into_iter();
            let known = used.filter_map(|(name, span, file)| {
                Some((self.known(word, &name, span, declared)?, file))
            });
            known.collect::<Vec<_>>()
        };
        let (configs, secrets) = (
            grants("configs", "config", &top.configs),
            grants("secrets", "secret", &top.secrets),
        );
        let names = |granted: &[(Arc<str>, FileTarget)]| {
            let names = granted.iter().map(|(name, _)| name.clone());
            names.collect::<Vec<_>>()
        };
        stack_container::check_mounts(field, scribe, CODE);
        let container = ContainerSpec {
            command: part::command(&field.get(scribe, "entrypoint"), scribe, CODE)
                .unwrap_or_default(),
            args: part::command(&field.get(scribe, "command"), scribe, CODE).unwrap_or_default(),
            env: part::environment(field, scribe, self.variables, self.others, self.file),
            health_check: stack_container::health(&field.get(scribe, "healthcheck"), scribe, CODE),
            stop_grace_period: part::duration(
                &field.get(scribe, "stop_grace_period"),
                scribe,
                CODE,
                seconds(10),
            ),
            mounts: self.mounts(field, top),
            configs: names(&configs),
            secrets: names(&secrets),
            options: ContainerOptions {
                config_files: configs.into_iter().collect(),
                secret_files: secrets.into_iter().collect(),
                ..stack_container::options(field, self.stack, scribe)
            },
            image,
        };
        let resources_field = deploy.get(scribe, "resources");
        let resources = part::needs(&resources_field, scribe, CODE);
        for (key, amounts) in [
            ("limits", &resources.limits),
            ("reservations", &resources.requests),
        ] {
            if let Some(bytes) = amounts
                .memory_bytes
                .filter(|bytes| *bytes < MEMORY_BYTES_MIN)
            {
                let at = resources_field.peek(key).peek("memory").span;
                scribe.error(
                    CODE,
                    at,
                    format!("invalid memory value {bytes}: Must be at least 4MiB"),
                );
            }
        }
        let ports = self.ports(field);
        let endpoint_mode = match deploy.get(scribe, "endpoint_mode").text(scribe).as_deref() {
            Some("dnsrr") => EndpointMode::Dnsrr,
            _ => EndpointMode::Vip,
        };
        if endpoint_mode == EndpointMode::Dnsrr
            && ports.iter().any(|port| port.mode == PublishMode::Ingress)
        {
            let message =
                "EndpointSpec: port published with ingress mode can't be used with dnsrr mode";
            scribe.error(CODE, field.peek("ports").span, message);
        }
        ServiceSpec {
            name: format!("{}_{key}", self.stack).into(),
            labels,
            mode: self.mode(&deploy),
            task: TaskSpec {
                container,
                resources,
                restart_policy: self.restart_policy(field, &deploy),
                placement: self.placement(&deploy.get(scribe, "placement")),
                networks: self.networks(field, top),
                force_update: 0,
            },
            endpoint_mode,
            ports,
            update_config: self.update_config(&deploy.get(scribe, "update_config")),
            rollback_config: self.update_config(&deploy.get(scribe, "rollback_config")),
        }
    }

    fn known(
        &self,
        word: &str,
        name: &str,
        span: Span,
        declared: &SortedMap<Arc<str>, Resource>,
    ) -> Option<Arc<str>> {
        if let Some(resource) = declared.get(name) {
            return Some(resource.name.clone());
        }
        let help = match nearest(name, declared.keys().map(|known| &**known)) {
            Some(near) => catalogue::NEAR.with(&[("near", &near)]),
            None => {
                let text = format!("{word}s: {{{name}: }}");
                catalogue::DECLARE.with(&[("text", &text)])
            }
        };
        self.scribe.error_with_help(
            explain::STACK_UNDEFINED_NAME,
            span,
            format!("undefined {word} {name:?}"),
            help,
        );
        None
    }

    fn networks(&self, field: &Field<'_>, top: &Top) -> Vec<Arc<str>> {
        let mut names = part::names(&field.get(self.scribe, "networks"), self.scribe);
        if names.is_empty() {
            names.push(("default".into(), field.span));
        }
        let mut networks: Vec<Arc<str>> = names
            .into_iter()
            .filter_map(|(name, span)| self.known("network", &name, span, &top.networks))
            .collect();
        networks.arrange();
        networks.dedup();
        networks
    }

    fn mounts(&self, field: &Field<'_>, top: &Top) -> Vec<crate::api::swarm::service::Mount> {
        let mut mounts = Vec::new();
        for written in part::mounts(field, self.scribe, CODE) {
            let mut mount = written.mount;
            if written.named {
                match self.known("volume", &mount.source, written.span, &top.volumes) {
                    Some(name) => mount.source = name,
                    None => continue,
                }
            }
            mounts.push(mount);
        }
        mounts
    }

    fn ports(&self, field: &Field<'_>) -> Vec<PublishedPort> {
        let mut found: Vec<PublishedPort> = Vec::new();
        for written in port::ports(&field.get(self.scribe, "ports"), self.scribe, CODE) {
            let published = written.port.published.map_or(0, |range| range.first);
            let port = PublishedPort {
                target: written.port.target,
                published,
                protocol: written.port.protocol,
                mode: written.mode,
            };
            let same = |other: &&PublishedPort| {
                other.published == published && other.protocol == port.protocol
            };
            if published > 0 && found.iter().any(|other| same(&other)) {
                self.scribe.error_with_help(
                    CODE,
                    written.span,
                    "EndpointSpec: duplicate published ports provided",
                    catalogue::PORT_TWICE.with(&[("port", &published)]),
                );
            }
            found.push(port);
        }
        found
    }

    /// No two services publish one port, unless both only on their own nodes.
    fn check_ports(&self, services: &[(ServiceSpec, Field<'_>)]) {
        for (index, (spec, field)) in services.iter().enumerate() {
            let written = port::ports(&field.peek("ports"), self.scribe, CODE);
            for (port, place) in spec.ports.iter().zip(written) {
                let clash = services[..index].iter().find_map(|(other, _)| {
                    let clash = other.ports.iter().find(|taken| {
                        taken.published == port.published
                            && taken.protocol == port.protocol
                            && (taken.mode == PublishMode::Ingress
                                || port.mode == PublishMode::Ingress)
                    });
                    clash.map(|taken| (other, taken.mode))
                });
                let Some((owner, mode)) = clash.filter(|_| port.published > 0) else {
                    continue;
                };
                let how = match mode {
                    PublishMode::Ingress => "as an ingress port",
                    PublishMode::Host => "as a host-published port",
                };
                self.scribe.error_with_help(
                    CODE,
                    place.span,
                    format!(
                        "port '{}' is already in use by service '{}' {how}",
                        port.published, owner.name
                    ),
                    catalogue::PORT_OTHER.plain(),
                );
            }
        }
    }

    fn word<T: Copy>(&self, field: &Field<'_>, words: &[(&str, T)], default: T) -> T {
        let Some(text) = field.text(self.scribe) else {
            return default;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| **word == *text) {
            return *value;
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = match nearest(&text, names.iter().copied()) {
            Some(near) => catalogue::NEAR.with(&[("near", &near)]),
            None => catalogue::ONE_OF.with(&[("names", &names.join(", "))]),
        };
        let message = catalogue::VALUE_UNKNOWN.with(&[("path", &field.path), ("value", &text)]);
        self.scribe
            .error_with_help(explain::STACK_UNSUPPORTED_VALUE, field.span, message, help);
        default
    }

    fn mode(&self, deploy: &Field<'_>) -> ServiceMode {
        #[derive(Clone, Copy, PartialEq)]
        enum Mode {
            Replicated,
            Global,
            ReplicatedJob,
            GlobalJob,
        }
        let words = [
            ("replicated", Mode::Replicated),
            ("global", Mode::Global),
            ("replicated-job", Mode::ReplicatedJob),
            ("global-job", Mode::GlobalJob),
        ];
        let mode = self.word(&deploy.get(self.scribe, "mode"), &words, Mode::Replicated);
        let replicas_field = deploy.get(self.scribe, "replicas");
        let replicas = part::count(&replicas_field, self.scribe, CODE);
        if replicas.is_some() && matches!(mode, Mode::Global | Mode::GlobalJob) {
            let message = "replicas can only be used with replicated or replicated-job mode";
            self.scribe.error(CODE, replicas_field.span, message);
        }
        let replicas = u32::try_from(replicas.unwrap_or(1)).unwrap_or(u32::MAX);
        match mode {
            Mode::Replicated => ServiceMode::Replicated { replicas },
            Mode::Global => ServiceMode::Global,
            Mode::ReplicatedJob => ServiceMode::ReplicatedJob {
                total_completions: replicas,
                max_concurrent: replicas,
            },
            Mode::GlobalJob => ServiceMode::GlobalJob,
        }
    }

    fn placement(&self, field: &Field<'_>) -> Placement {
        let scribe = self.scribe;
        let preferences = field.get(scribe, "preferences").items(scribe);
        let max = field.get(scribe, "max_replicas_per_node");
        Placement {
            constraints: field.get(scribe, "constraints").texts(scribe),
            preferences: preferences
                .iter()
                .filter_map(|item| item.get(scribe, "spread").text(scribe))
                .collect(),
            max_replicas_per_node: part::count(&max, scribe, CODE).unwrap_or(0),
            platforms: Vec::new(),
        }
    }

    fn restart_policy(&self, service: &Field<'_>, deploy: &Field<'_>) -> RestartPolicy {
        let scribe = self.scribe;
        let field = deploy.get(scribe, "restart_policy");
        let seconds = SimDuration::from_secs;
        let mut policy = RestartPolicy {
            condition: RestartCondition::Any,
            delay: seconds(5),
            max_attempts: 0,
            window: SimDuration::ZERO,
        };
        if !field.exists() {
            // Ignored by name, used all the same. Source: docker/cli `cli/compose/convert/service.go`.
            let restart = service.get(scribe, "restart");
            let text = restart.scalar(scribe).unwrap_or_else(|| "".into());
            match parse_restart(&text) {
                Some(Restart::OnFailure { max_retries }) => {
                    policy.condition = RestartCondition::OnFailure;
                    policy.max_attempts = max_retries.into();
                }
                Some(Restart::No | Restart::Always | Restart::UnlessStopped) => {}
                None => scribe.error(
                    CODE,
                    restart.span,
                    format!("invalid restart policy: unknown policy '{text}'"),
                ),
            }
            return policy;
        }
        let words = [
            ("none", RestartCondition::None),
            ("on-failure", RestartCondition::OnFailure),
            ("any", RestartCondition::Any),
        ];
        policy.condition = self.word(
            &field.get(scribe, "condition"),
            &words,
            RestartCondition::Any,
        );
        policy.delay = part::duration(&field.get(scribe, "delay"), scribe, CODE, seconds(5));
        policy.max_attempts =
            part::count(&field.get(scribe, "max_attempts"), scribe, CODE).unwrap_or(0);
        policy.window = part::duration(
            &field.get(scribe, "window"),
            scribe,
            CODE,
            SimDuration::ZERO,
        );
        policy
    }

    fn update_config(&self, field: &Field<'_>) -> UpdateConfig {
        let scribe = self.scribe;
        let actions = [
            ("pause", FailureAction::Pause),
            ("continue", FailureAction::Continue),
            ("rollback", FailureAction::Rollback),
        ];
        let orders = [
            ("stop-first", UpdateOrder::StopFirst),
            ("start-first", UpdateOrder::StartFirst),
        ];
        let monitor = part::duration(
            &field.get(scribe, "monitor"),
            scribe,
            CODE,
            SimDuration::ZERO,
        );
        let ratio_field = field.get(scribe, "max_failure_ratio");
        let ratio = ratio_field
            .scalar(scribe)
            .map(|text| amount::parse_decimal(&text, 6));
        let ratio = match ratio {
            None => 0,
            Some(Some(ratio @ 0..=1_000_000)) => u32::try_from(ratio).unwrap_or(0),
            Some(_) => {
                let message = "update-maxfailureratio cannot be less than 0 or bigger than 1";
                scribe.error(CODE, ratio_field.span, message);
                0
            }
        };
        UpdateConfig {
            parallelism: part::count(&field.get(scribe, "parallelism"), scribe, CODE).unwrap_or(1),
            delay: part::duration(&field.get(scribe, "delay"), scribe, CODE, SimDuration::ZERO),
            failure_action: self.word(
                &field.get(scribe, "failure_action"),
                &actions,
                FailureAction::Pause,
            ),
            // Zero is absence: the manager's default of 5 s applies.
            monitor: if monitor.is_zero() {
                SimDuration::from_secs(5)
            } else {
                monitor
            },
            max_failure_ratio_millionths: ratio,
            order: self.word(&field.get(scribe, "order"), &orders, UpdateOrder::StopFirst),
        }
    }
}
