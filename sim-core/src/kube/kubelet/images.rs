//! A container's image: asked for, there, or not to be had.
//!
//! Source: `pkg/kubelet/images/image_manager.go`.

use crate::base::time::SimDuration;
use crate::des::notice::Detail;
use crate::kube::render::pod::container_hex;
use crate::kube::rows::pod::ContainerState;
use crate::kube::store::events::Message;
use crate::substrate::image::{DEFAULT_REGISTRY, ImageRef};
use crate::substrate::order::{Order, PullError, PullPolicy};

use super::desk::{Desk, Report, naming, owner, sentence};
use super::lifecycle::{ERROR_PERIOD, advance};
use super::settings::WorkerSettings;
use super::worker::{Step, Worker};
use super::{backoff, content, needs};

/// Whether getting the image means asking a registry.
pub fn goes_to_registry(worker: &Worker, index: usize, desk: &Desk<'_, '_>) -> bool {
    let lowered = &worker.lowered[index];
    let (machines, symbols) = (desk.ctx.machines, &desk.ctx.symbols);
    let asks = match lowered.pull {
        PullPolicy::Always => true,
        PullPolicy::IfNotPresent => !machines.has_image_as(worker.machine, lowered.image, symbols),
        PullPolicy::Never => false,
    };
    asks && machines.is_reference(lowered.image, symbols)
}

/// Size of an image that the machine has.
fn image_bytes(worker: &Worker, text: &str, desk: &Desk<'_, '_>) -> u64 {
    let reference = ImageRef::parse(text);
    let mut images = desk.ctx.machines.images_on(worker.machine);
    images
        .find(|image| image.reference == reference)
        .map_or(0, |image| image.program.size_bytes)
}

/// The image is there: creates and starts the container. Answers whether a registry was asked for it.
pub fn pulled(
    worker: &mut Worker,
    index: usize,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) -> bool {
    let Step::Pulling(since) = worker.containers[index].step else {
        return false;
    };
    let Some(sandbox) = worker.sandbox else {
        return false;
    };
    let lowered = &worker.lowered[index];
    let took = desk.now().since(since);
    let asked = !took.is_zero();
    if !asked && lowered.pull != PullPolicy::Always {
        let text =
            "Container image \"{}\" already present on machine and can be accessed by the pod";
        desk.record(
            worker,
            Some(lowered.name),
            Report::normal("Pulled", naming(text, lowered.image)),
        );
    } else {
        let took = SimDuration::from_millis(took.as_millis()).exact();
        let image = desk.ctx.symbols.text(lowered.image);
        let size = image_bytes(worker, image, desk);
        let text = format!(
            "Successfully pulled image \"{image}\" in {took} ({took} including waiting). Image size: {size} bytes."
        );
        desk.record(
            worker,
            Some(lowered.name),
            Report::normal("Pulled", sentence(text)),
        );
    }
    if let Some((_, cause)) = needs::missing(&lowered.variables, worker.namespace, desk) {
        wait_for(
            worker,
            index,
            ("CreateContainerConfigError", cause),
            settings,
            desk,
        );
        return asked;
    }
    if let Some(problem) = without_target(worker, index, desk) {
        wait_for(worker, index, problem, settings, desk);
        return asked;
    }
    let taken = content::take(worker, worker.taken.as_ref(), desk);
    let work = &mut worker.containers[index];
    work.taken = taken;
    if let Some(waits) = work.waits.written() {
        waits.pull_failed = None;
    }
    work.step = Step::Starting;
    // As `pkg/kubelet/kuberuntime/kuberuntime_container.go` (startContainer): an attempt is counted when
    // its container is made, not when the one before it ends.
    work.restarts += u32::from(std::mem::replace(&mut work.was_made, true));
    let spec = if worker.recipe.has_claims {
        super::mounts::with_volumes(worker, lowered.spec.clone(), desk)
    } else {
        lowered.spec.clone()
    };
    let taken = worker.containers[index].taken.clone();
    let spec = content::with_variables(worker, index, spec, taken.as_deref(), desk);
    desk.order(Order::Start {
        owner: owner(worker, index),
        sandbox,
        spec,
    });
    asked
}

/// What keeps a container from being made that is to be among another one's processes.
/// Sources: `pkg/kubelet/kuberuntime/kuberuntime_container.go` (`getTargetID`), containerd
/// `internal/cri/server/helpers.go` (`validateTargetContainer`).
fn without_target(
    worker: &Worker,
    index: usize,
    desk: &Desk<'_, '_>,
) -> Option<(&'static str, String)> {
    let name = worker.lowered[index].spec.joins?;
    let at = worker.lowered.iter().position(|one| one.name == name);
    let Some(target) = at.and_then(|at| worker.containers[at].container) else {
        let name = desk.ctx.symbols.text(name);
        let text = format!("unable to find target container {name}");
        return Some(("CreateContainerConfigError", text));
    };
    let runs = desk.ctx.machines.container(target);
    if runs.is_some_and(|row| row.running_since().is_some()) {
        return None;
    }
    let id = container_hex(desk.ctx.seed, target.bits());
    let text = format!(
        "invalid target container: container \"{id}\" is not running - in state CONTAINER_EXITED"
    );
    Some(("CreateContainerError", text))
}

/// A container cannot be made: the next turn of the worker tries again.
fn wait_for(
    worker: &mut Worker,
    index: usize,
    (reason, cause): (&'static str, String),
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    let name = worker.lowered[index].name;
    let event = Report::warning("Failed", sentence(format!("Error: {cause}")));
    desk.record(worker, Some(name), event);
    let until = desk.now() + desk.jitter(worker, ERROR_PERIOD);
    let work = &mut worker.containers[index];
    work.step = Step::Idle;
    let waits = work.waits.write();
    waits.pull_failed = None;
    waits.not_before = Some(until);
    work.wait(reason, Some(cause.into()));
    desk.request_status(worker);
    advance(worker, settings, desk);
}

/// What the runtime says of a pull that failed. It pulls by the full name of the image.
///
/// Source: containerd 2.2 `internal/cri/server/images/image_pull.go`, `core/transfer/local/pull.go`,
/// `core/remotes/docker/resolver.go`; codes of gRPC other than Unknown are kept before it
/// (`cri-client/pkg/remote_image.go`). The registry's address is not modelled.
fn runtime_error(image: &str, error: PullError) -> String {
    let reference = ImageRef::parse(image);
    let full = reference
        .as_ref()
        .map_or_else(|| image.to_owned(), ImageRef::canonical);
    let pulling = format!("failed to pull and unpack image \"{full}\"");
    match error {
        PullError::Denied => format!(
            "{pulling}: failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
        ),
        PullError::ManifestUnknown => format!(
            "rpc error: code = NotFound desc = {pulling}: failed to resolve image: {full}: not found"
        ),
        PullError::RegistryDown => {
            let url = reference.as_ref().map_or_else(String::new, manifest_url);
            format!(
                "{pulling}: failed to resolve image: failed to do request: Head \"{url}\": dial tcp: i/o timeout"
            )
        }
        // As containerd reports a full disk.
        PullError::NoSpace => format!(
            "{pulling}: failed to copy: failed to send write: write /var/lib/containerd/io.containerd.content.v1.content/ingest/data: no space left on device: unknown"
        ),
        PullError::NotPresent | PullError::InvalidName => {
            unreachable!("told before a runtime is asked")
        }
    }
}

/// Where a registry has an image's manifest. Source: containerd `core/remotes/docker/registry.go`
/// (`DefaultHost`).
fn manifest_url(reference: &ImageRef) -> String {
    let host = match reference.registry.as_str() {
        DEFAULT_REGISTRY => "registry-1.docker.io",
        other => other,
    };
    let version = reference.digest.as_ref().or(reference.tag.as_ref());
    let version = version.map_or("latest", String::as_str);
    format!("https://{host}/v2/{}/manifests/{version}", reference.path)
}

/// The image could not be had.
pub fn pull_failed(
    worker: &mut Worker,
    index: usize,
    error: PullError,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    let Step::Pulling(_) = worker.containers[index].step else {
        return;
    };
    let now = desk.now();
    let lowered = &worker.lowered[index];
    let image = desk.ctx.symbols.text(lowered.image).to_owned();
    if error == PullError::NotPresent {
        let text = format!("Container image \"{image}\" is not present with pull policy of Never");
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("ErrImageNeverPull", sentence(text.clone())),
        );
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("Failed", Message::Plain("Error: ErrImageNeverPull")),
        );
        wait_for_image(
            worker,
            index,
            "ErrImageNeverPull",
            text,
            None,
            settings,
            desk,
        );
        return;
    }
    if error == PullError::InvalidName {
        let text = format!(
            "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": {}",
            ImageRef::flaw(&image)
        );
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("InspectFailed", sentence(text.clone())),
        );
        desk.record(
            worker,
            Some(lowered.name),
            Report::warning("Failed", Message::Plain("Error: InvalidImageName")),
        );
        wait_for_image(
            worker,
            index,
            "InvalidImageName",
            text,
            None,
            settings,
            desk,
        );
        return;
    }
    let message = runtime_error(&image, error);
    desk.record(
        worker,
        Some(lowered.name),
        Report::warning(
            "Failed",
            sentence(format!("Failed to pull image \"{image}\": {message}")),
        ),
    );
    desk.record(
        worker,
        Some(lowered.name),
        Report::warning("Failed", Message::Plain("Error: ErrImagePull")),
    );
    let keeper = keeper_of(worker, index);
    let pulls = &mut worker.containers[keeper].waits.write().pulls;
    pulls.step(now, now, backoff::MAX);
    let wait = pulls.until().since(now);
    worker.containers[index].waits.write().pull_failed = Some(now);
    desk.note("pull-failed", worker, Detail::Text(lowered.image), None);
    wait_for_image(
        worker,
        index,
        "ErrImagePull",
        message,
        Some(wait),
        settings,
        desk,
    );
}

/// The container that keeps the back-off of another one's image: all of a pod's containers of one image
/// share it.
fn keeper_of(worker: &Worker, index: usize) -> usize {
    let image = worker.lowered[index].image;
    let mut images = worker.lowered.iter();
    images.position(|one| one.image == image).unwrap_or(index)
}

/// Whether the back-off of its image keeps a container from a pull: then it says so, at each turn of the
/// worker. Source: `pullImage`.
pub fn holds_back(worker: &mut Worker, index: usize, desk: &mut Desk<'_, '_>) -> bool {
    let keeper = keeper_of(worker, index);
    let until = worker.containers[keeper].waits.pulls.until();
    if until <= desk.now() || !goes_to_registry(worker, index, desk) {
        return false;
    }
    let Some(cause) = last_failure(worker, index, desk) else {
        return false;
    };
    let next = desk.now() + desk.jitter(worker, ERROR_PERIOD);
    let work = &mut worker.containers[index];
    let waits = work.waits.write();
    waits.not_before = Some(next);
    waits.pull_failed = waits.pull_failed.or(Some(desk.now()));
    tell_back_off(worker, index, cause, desk);
    desk.wake(worker, next);
    true
}

/// What the last pull of a container's image said, by the state of whichever container of its pod waits
/// for it; `None` if none does.
fn last_failure(worker: &Worker, index: usize, desk: &Desk<'_, '_>) -> Option<String> {
    let lowered = &worker.lowered[index];
    let image = desk.ctx.symbols.text(lowered.image);
    let again = format!("Back-off pulling image \"{image}\"");
    let same = worker.lowered.iter().zip(&worker.containers);
    let mut same = same.filter(|(one, _)| one.image == lowered.image);
    same.find_map(|(_, work)| match &work.state {
        ContainerState::Waiting { reason, message } => {
            let message = message.as_deref().unwrap_or_default();
            match *reason {
                "ErrImagePull" => Some(format!("{again}: ErrImagePull: {message}")),
                "ImagePullBackOff" => Some(message.to_owned()),
                _ => None,
            }
        }
        ContainerState::Running { .. } | ContainerState::Terminated(_) => None,
    })
}

/// Says that a container waits for its image's back-off, with what the last pull said.
fn tell_back_off(worker: &mut Worker, index: usize, message: String, desk: &mut Desk<'_, '_>) {
    let (name, image) = (worker.lowered[index].name, worker.lowered[index].image);
    worker.containers[index].wait("ImagePullBackOff", Some(message.into()));
    let text = naming("Back-off pulling image \"{}\"", image);
    desk.record(worker, Some(name), Report::normal("BackOff", text));
    let error = Message::Plain("Error: ImagePullBackOff");
    desk.record(worker, Some(name), Report::warning("Failed", error));
}

/// A container whose pull has failed says at the next look that it is held back.
pub fn tell_first_back_off(worker: &mut Worker, index: usize, desk: &mut Desk<'_, '_>) {
    let reason = match &worker.containers[index].state {
        ContainerState::Waiting { reason, .. } => *reason,
        ContainerState::Running { .. } | ContainerState::Terminated(_) => "",
    };
    if reason == "ErrImagePull"
        && let Some(message) = last_failure(worker, index, desk)
    {
        tell_back_off(worker, index, message, desk);
    }
}

/// Says why the image is missing and waits for the next turn of the worker.
fn wait_for_image(
    worker: &mut Worker,
    index: usize,
    reason: &'static str,
    message: String,
    wait: Option<SimDuration>,
    settings: &WorkerSettings,
    desk: &mut Desk<'_, '_>,
) {
    let turn = desk.now() + desk.jitter(worker, ERROR_PERIOD);
    let work = &mut worker.containers[index];
    work.step = Step::Idle;
    let waits = work.waits.write();
    waits.not_before = Some(turn);
    waits.waited = wait;
    work.wait(reason, Some(message.into()));
    desk.request_status(worker);
    // The start of its sandbox, which is noticed meanwhile, brings the worker's next turn at once.
    if wait == Some(backoff::INITIAL) {
        desk.request_relist(worker);
    }
    advance(worker, settings, desk);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_pulls_are_told_as_the_runtime_tells_them() {
        let said = |image, error| runtime_error(image, error);
        assert_eq!(
            said("nginx:1.99", PullError::ManifestUnknown),
            "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/nginx:1.99\": failed to resolve image: docker.io/library/nginx:1.99: not found"
        );
        assert_eq!(
            said("team/secret", PullError::Denied),
            "failed to pull and unpack image \"docker.io/team/secret:latest\": failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
        );
        let down = said("quay.io/team/app:2", PullError::RegistryDown);
        assert!(down.contains("Head \"https://quay.io/v2/team/app/manifests/2\": dial tcp"));
        let down = said("redis", PullError::RegistryDown);
        assert!(down.contains("https://registry-1.docker.io/v2/library/redis/manifests/latest"));
    }
}
