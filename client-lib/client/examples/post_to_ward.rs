//! What an EHR plugin does: posts a message that is sent once, however often the plugin has to try.
//!
//! Paired with `connectctl apps pair "Ward EHR" --scope messages.send --token-out FILE`, and CONNECTD_TOKEN_FILE=FILE.
//! `cargo run -p connect-client --example post_to_ward -- USER TASK_ID TEXT`

use std::process::ExitCode;
use std::time::Duration;

use connect_client::api::conversation::Conversation;
use connect_client::api::errors::ErrorCode;
use connect_client::api::messages::Sent;
use connect_client::client::Client;
use connect_client::credentials::Credentials;
use connect_client::error::CallError;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an example")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [user, task, text] = &arguments[..] else {
        eprintln!("usage: post_to_ward USER TASK_ID TEXT");
        return ExitCode::from(64);
    };
    let mut client = Client::builder().name("ward-ehr 4.2");
    match Credentials::from_environment() {
        Ok(Some(credentials)) => client = client.credentials(credentials),
        // The owner of the daemon needs none.
        Ok(None) => {}
        Err(error) => {
            eprintln!("the token cannot be used: {error}");
            return ExitCode::FAILURE;
        }
    }
    let client = client.lazy();
    match post(&client, user, task, text).await {
        Ok(sent) => {
            println!("{} is {:?}", sent.message_id, sent.state);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the ward was not told: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The task's own id is the `client_ref`, so a repeat never posts twice: not after a lost connection, not after a
/// restart of this program or of the daemon.
async fn post(client: &Client, user: &str, task: &str, text: &str) -> Result<Sent, CallError> {
    let ward = Conversation::User(user.to_owned());
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match client
            .send_text(ward.clone(), text, Some(task.to_owned()))
            .await
        {
            Ok(sent) => return Ok(sent),
            Err(error) => error,
        };
        let wait = match &error {
            // Nobody knows whether it was done: the client_ref makes it safe to ask again.
            CallError::Disconnected | CallError::Timeout => Duration::from_millis(200),
            CallError::Unreachable(_) => Duration::from_secs(2),
            CallError::Daemon {
                code: ErrorCode::RateLimited,
                data,
            } => Duration::from_millis(data.retry_after_ms.unwrap_or(1000)),
            // A person has to do something first: unlock, add the contact, decide about a key.
            _ => return Err(error),
        };
        if attempts == 5 {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}
