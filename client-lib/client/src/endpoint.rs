//! Which daemon to talk to.

pub use connect_ipc::endpoint::Endpoint;
pub use connect_ipc::socket::ConnectError;
use connect_ipc::socket::{Stream, connect};

/// Where a daemon is looked for when nothing else is said: the user's own one, then the system's.
pub fn defaults() -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Endpoint::default_for_user().into_iter().collect();
    endpoints.push(Endpoint::default_for_service());
    endpoints
}

/// The first of them where a daemon answers. Where none does, the error is the one that says most.
pub(crate) async fn dial(endpoints: &[Endpoint]) -> Result<Stream, ConnectError> {
    let mut worst = ConnectError::NotRunning;
    for endpoint in endpoints {
        match connect(endpoint).await {
            Ok(stream) => return Ok(stream),
            Err(ConnectError::NotRunning) => {}
            Err(error) => worst = error,
        }
    }
    Err(worst)
}
