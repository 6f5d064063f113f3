//! `connect-relay operator add`, `list`, `remove`: who may do what (§10.6)

use std::path::PathBuf;

use connect_proto::hash::{Digest, sha256};
use connect_relay::operator::order::{Credential, OperatorName, Order, Role};
use connect_relay::operator::token::Token;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sysexits::ExitCode;

use super::{Context, Failure};

/// Add a named credential and print its token, once.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    name: OperatorName,
    /// What it may do; may be repeated.
    #[arg(long, required = true)]
    may: Vec<Role>,
    /// The operator's client certificate (PEM) instead of a token, for the listener over TLS.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

/// List the credentials and what each may do.
#[derive(Debug, clap::Args)]
pub(super) struct List {}

/// Remove a credential: it is good for nothing from then on.
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    name: OperatorName,
}

impl Add {
    #[expect(clippy::print_stdout, reason = "what the command was asked for")]
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        // The random source of this process.
        let token = Token::generate(&mut rand_core::OsRng);
        let order = Order::AddOperator {
            name: self.name,
            may: self.may,
            credential: match &self.certificate {
                Some(path) => Credential::CertificateSha256(fingerprint(path)?),
                None => Credential::TokenSha256(token.digest()),
            },
        };
        let answer = context.give(&order).await?;
        let token = self.certificate.is_none().then(|| token.expose());
        if context.json {
            println!("{}", json!({ "token": token, "log": answer.log }));
        } else {
            println!("{}", token.unwrap_or("added"));
        }
        Ok(ExitCode::Ok)
    }
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let answer = context.give(&Order::ListOperators).await?;
        context.print(&answer, |answer| {
            let all = answer.result["operators"].as_array();
            let lines: Vec<_> = all.into_iter().flatten().map(line).collect();
            lines.join("\n")
        });
        Ok(ExitCode::Ok)
    }
}

impl Remove {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let answer = context
            .give(&Order::RemoveOperator { name: self.name })
            .await?;
        context.print(&answer, |_| "removed".to_owned());
        Ok(ExitCode::Ok)
    }
}

fn line(operator: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let may: Vec<_> = operator["may"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let (name, by) = (text(&operator["name"]), text(&operator["by"]));
    format!("{name} may {} by {by}", may.join(" and "))
}

fn fingerprint(path: &PathBuf) -> Result<Digest, Failure> {
    let certificate = CertificateDer::from_pem_file(path).map_err(|_| {
        let what = format!("{} is not readable as a PEM certificate", path.display());
        Failure::new(ExitCode::NoInput, what)
    })?;
    Ok(sha256(&certificate))
}
