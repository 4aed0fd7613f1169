//! Who owns which field: requests with a field manager, and server-side apply.

use crate::kube::turn::Turn;

use super::{ApiServer, Refusal, Request, Response};

impl ApiServer {
    /// Answers a request of a field manager.
    pub(super) fn managed(
        &mut self,
        _manager: &str,
        request: &Request,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Response, Refusal> {
        self.plain(request, turn)
    }
}
