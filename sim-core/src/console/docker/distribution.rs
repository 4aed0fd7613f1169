//! What the client of a service asks the registry before it sends a specification: the platforms
//! that the image is made for. The image's digest, which it also asks for, is not modelled: images
//! stay named by their tags. Source: moby `client/service_create.go` (imageDigestAndPlatforms).

use crate::api::swarm::service::{Platform, ServiceSpec};
use crate::console::Session;
use crate::engine::command::Orchestrator;

/// Notes the platforms of the image. The warning that the client prints where the registry does not
/// answer, or has no such image; nothing if it does.
pub fn resolve(session: &Session, spec: &mut ServiceSpec) -> String {
    let Ok(world) = session.world(Orchestrator::Swarm) else {
        return String::new();
    };
    let image = spec.task.container.image.clone();
    match world.substrate.inspect_distribution(&image) {
        Ok(platform) => {
            spec.task.placement.platforms = platform
                .map(|(os, architecture)| Platform {
                    os: os.into(),
                    architecture: architecture.into(),
                })
                .into_iter()
                .collect();
            String::new()
        }
        Err(_) => format!(
            "image {image} could not be accessed on a registry to record\nits digest. Each node will access {image} independently,\npossibly leading to different nodes running different\nversions of the image.\n\n"
        ),
    }
}
