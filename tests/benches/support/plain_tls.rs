//! The yardstick of P7: bodies of a chunk's size posted over TLS to a server that only reads them.
#![expect(unreachable_pub, reason = "each bench is a crate of its own")]

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use connect_tests::tls;
use connect_tests::world::World;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// In MB/s.
#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
pub async fn rate(world: &World, size: usize, body: usize) -> f64 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let config = tls::server(&world.relay_dir()).expect("a key");
    let serving = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config))));
    let client = tls::client(&world.ca_pem().expect("a CA")).expect("a client");
    let url = format!("https://localhost:{port}/");
    let body = Bytes::from(vec![7; body]);
    let times = size / body.len();
    let began = Instant::now();
    for _ in 0..times {
        let answer = client.post(&url).body(body.clone()).send().await;
        assert!(answer.expect("answered").status().is_success());
    }
    let took = began.elapsed().as_secs_f64();
    serving.abort();
    (times * body.len()) as f64 / took / 1e6
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let stream = acceptor.accept(stream).await.expect("TLS");
            let service = service_fn(swallow);
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}

async fn swallow(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    Ok(Response::new(Empty::new()))
}
