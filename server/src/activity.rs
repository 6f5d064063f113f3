//! Whether a connection does anything: HTTP/2 has no idle limit of its own, and answers pings for ever.

use std::pin::Pin;
use std::time::Duration;

use hyper::service::Service;
use tokio::sync::watch;
use tokio::time::timeout;

#[derive(Debug, Default, Clone, Copy)]
struct Requests {
    begun: u64,
    running: u64,
}

/// A service that counts what it does.
#[derive(Debug, Clone)]
pub(crate) struct Counted<S> {
    inner: S,
    requests: watch::Sender<Requests>,
}

/// One request that runs, until it is answered or given up.
struct Running(watch::Sender<Requests>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|requests| requests.running -= 1);
    }
}

impl<S> Counted<S> {
    pub(crate) fn new(inner: S) -> Self {
        let requests = watch::Sender::new(Requests::default());
        Self { inner, requests }
    }

    /// Returns once nothing has run for so long.
    pub(crate) async fn idle_for(&self, within: Duration) {
        let mut requests = self.requests.subscribe();
        loop {
            let quiet = requests.wait_for(|requests| requests.running == 0).await;
            let Ok(begun) = quiet.map(|requests| requests.begun) else {
                return;
            };
            let news = requests.wait_for(|requests| requests.begun != begun);
            if timeout(within, news).await.is_err() {
                return;
            }
        }
    }
}

impl<S, R> Service<R> for Counted<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, request: R) -> Self::Future {
        self.requests.send_modify(|requests| {
            requests.begun += 1;
            requests.running += 1;
        });
        let running = Running(self.requests.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let _running = running;
            answer.await
        })
    }
}
