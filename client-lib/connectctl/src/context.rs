//! What every command is given: the client, and where its answer goes.

use std::time::Duration;

use connect_api::method::Method;
use connect_client::client::Client;
use connect_client::endpoint::Endpoint;

use crate::error::Error;
use crate::global::Global;
use crate::output::Output;
use crate::secret;

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) out: Output,
    pub(crate) timeout: Option<Duration>,
}

impl Context {
    pub(crate) fn new(global: &Global, out: Output) -> Result<Self, Error> {
        let mut builder = Client::builder().name(concat!("connectctl ", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &global.socket {
            builder = builder.endpoint(Endpoint::new(path));
        }
        if let Some(timeout) = global.timeout {
            builder = builder.timeout(timeout);
        }
        if let Some(credentials) = secret::credentials(&out, global.token_file.as_deref())? {
            builder = builder.credentials(credentials);
        }
        Ok(Self {
            client: builder.lazy(),
            out,
            timeout: global.timeout,
        })
    }

    pub(crate) async fn call<M: Method>(&self, params: M::Params) -> Result<M::Answer, Error> {
        Ok(self.client.call::<M>(params).await?)
    }
}
