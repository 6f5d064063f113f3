//! The load: clients that send, and that repeat a send under the same reference until it is answered.

use std::sync::Arc;
use std::time::Duration;

use connect_api::errors::ErrorCode;
use connect_client::client::Client;
use connect_client::error::CallError;
use connect_proto::hash::sha256;
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::notebook::Notebook;
use super::record::{Answer, Way};
use super::ward::{Member, Ward};

/// Between two attempts at the same send.
const PAUSE: Duration = Duration::from_millis(20);
/// How often a sender looks how far its daemon is behind, in sends.
const LOOK_EVERY: usize = 10;
/// Messages of one user that may wait at once.
const DEEP: u64 = 300;
/// As many calls as a daemon takes from one connection.
const PER_CONNECTION: usize = 16;

/// One send, however often it is tried.
#[derive(Debug, Clone)]
struct Letter {
    way: Way,
    task: usize,
    client_ref: String,
    text: String,
}

impl Letter {
    /// No other letter has its text. Lengths and letters vary, so that a cut or a changed byte shows.
    fn new(way: &Way, task: usize, number: usize, rng: &mut ChaCha12Rng) -> Self {
        const WORDS: [&str; 4] = ["Kalium 5,1 ", "β-Blocker ", "🫀 ", "\"\\\n\t"];
        let client_ref = format!("{}-{}-{task}-{number}", way.from, way.to);
        let mut text = format!("{client_ref}: ");
        for _ in 0..rng.next_u32() % 60 {
            text.push_str(WORDS[rng.next_u32() as usize % WORDS.len()]);
        }
        Self {
            way: way.clone(),
            task,
            client_ref,
            text,
        }
    }

    fn answered(&self, message_id: String) -> Answer {
        Answer {
            way: self.way.clone(),
            task: self.task,
            client_ref: self.client_ref.clone(),
            message_id,
            content: sha256(self.text.as_bytes()),
        }
    }
}

/// What became of one attempt.
enum Attempt {
    Answered(String),
    /// It may have been done.
    Unknown,
    /// It was not done, and may be later.
    NotNow,
    Refused(String),
}

async fn attempt(client: &Client, letter: &Letter) -> Attempt {
    let conversation = connect_api::conversation::Conversation::User(letter.way.to.clone());
    let reference = Some(letter.client_ref.clone());
    match client
        .send_text(conversation, letter.text.as_str(), reference)
        .await
    {
        Ok(sent) => Attempt::Answered(sent.message_id),
        Err(CallError::Disconnected | CallError::Timeout) => Attempt::Unknown,
        Err(CallError::Unreachable(_)) => Attempt::NotNow,
        Err(CallError::Daemon { code, .. }) => match code {
            ErrorCode::Timeout => Attempt::Unknown,
            ErrorCode::StorageFailed if connect_points::ARMED => Attempt::Unknown,
            ErrorCode::Locked => Attempt::NotNow,
            code => Attempt::Refused(code.message().to_owned()),
        },
        Err(error @ CallError::Protocol) => Attempt::Refused(error.to_string()),
    }
}

/// Returns the message's id, or nothing where the send was refused.
async fn insist(client: &Client, letter: &Letter, notebook: &Notebook) -> Option<String> {
    notebook.note_attempt(&letter.way, sha256(letter.text.as_bytes()));
    loop {
        match attempt(client, letter).await {
            Attempt::Answered(message_id) => return Some(message_id),
            Attempt::Refused(why) => {
                notebook.note_refusal(&letter.way.from, format!("{}: {why}", letter.client_ref));
                return None;
            }
            Attempt::Unknown => notebook.note_unknown(),
            Attempt::NotNow => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Senders that run until they are told to stop, and then finish the send that they are at.
#[derive(Debug)]
pub(super) struct Load {
    stopping: CancellationToken,
    senders: JoinSet<()>,
}

impl Load {
    /// As many tasks for each pair of members as said, each pausing up to `pace` after a send.
    pub(super) fn start(
        ward: &Ward,
        notebook: &Arc<Notebook>,
        tasks: usize,
        pace: Duration,
        rng: &mut ChaCha12Rng,
    ) -> Self {
        use rand_core::SeedableRng as _;
        let stopping = CancellationToken::new();
        let mut senders = JoinSet::new();
        for from in &ward.members {
            for to in ward.members.iter().filter(|to| to.user != from.user) {
                for task in 0..tasks {
                    let sender = Sender {
                        client: from.client.clone(),
                        way: Way::new(&from.user, &to.user),
                        task,
                        pace,
                        notebook: Arc::clone(notebook),
                        rng: ChaCha12Rng::seed_from_u64(rng.next_u64()),
                    };
                    senders.spawn(sender.run(stopping.clone()));
                }
            }
        }
        Self { stopping, senders }
    }

    /// Returns how many senders still had no answer when the time was up.
    pub(super) async fn stop(mut self, within: Duration) -> usize {
        self.stopping.cancel();
        let all = async { while self.senders.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(within, all).await;
        self.senders.len()
    }
}

struct Sender {
    client: Client,
    way: Way,
    task: usize,
    pace: Duration,
    notebook: Arc<Notebook>,
    rng: ChaCha12Rng,
}

impl Sender {
    async fn run(mut self, stopping: CancellationToken) {
        let mut number = 0;
        while !stopping.is_cancelled() {
            let letter = Letter::new(&self.way, self.task, number, &mut self.rng);
            let Some(message_id) = insist(&self.client, &letter, &self.notebook).await else {
                return;
            };
            self.notebook.note_answer(letter.answered(message_id), true);
            number += 1;
            if number % LOOK_EVERY == 0 {
                self.wait_for_the_outbox(&stopping).await;
            }
            let share = f64::from(self.rng.next_u32()) / f64::from(u32::MAX);
            tokio::select! {
                () = tokio::time::sleep(self.pace.mul_f64(share)) => {}
                () = stopping.cancelled() => {}
            }
        }
    }
}

impl Sender {
    /// A run must come to rest in minutes, however long it was.
    async fn wait_for_the_outbox(&self, stopping: &CancellationToken) {
        while !stopping.is_cancelled()
            && let Ok(health) = self.client.health().await
            && health.outbox.queued > DEEP
        {
            tokio::time::sleep(PAUSE * 5).await;
        }
    }
}

/// One send, asked for many times at once under one reference; ends when each was answered.
#[derive(Debug)]
pub struct Burst(JoinSet<()>);

impl Burst {
    /// `task` tells this burst from every other send.
    pub fn start(
        from: &Member,
        to: &Member,
        task: usize,
        times: usize,
        notebook: &Arc<Notebook>,
        rng: &mut ChaCha12Rng,
    ) -> Self {
        let way = Way::new(&from.user, &to.user);
        let letter = Letter::new(&way, task, 0, rng);
        let mut asking = JoinSet::new();
        for first in (0..times).step_by(PER_CONNECTION) {
            let client = from.new_client();
            for number in first..times.min(first + PER_CONNECTION) {
                let (client, letter) = (client.clone(), letter.clone());
                let notebook = Arc::clone(notebook);
                asking.spawn(async move {
                    if let Some(id) = insist(&client, &letter, &notebook).await {
                        notebook.note_answer(letter.answered(id), number == 0);
                    }
                });
            }
        }
        Self(asking)
    }

    /// Waits for one more answer, and returns false where there is none left to come.
    pub async fn next(&mut self) -> bool {
        self.0.join_next().await.is_some()
    }

    pub fn pending(&self) -> usize {
        self.0.len()
    }
}
