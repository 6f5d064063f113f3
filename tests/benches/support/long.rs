//! A long history, written faster than it would have come.
#![expect(unreachable_pub, reason = "each bench is a crate of its own")]

use connect_proto::ids::{InstallationId, MessageId, UserId};
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::database::Store;
use connect_store::new::NewMessage;
use connect_store::received;
use connect_store::search;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use tokio::time::Instant;

pub const WORDS: usize = 50_000;
pub const CONVERSATIONS: usize = 2000;
const SYLLABLES: [&str; 32] = [
    "ba", "ber", "bo", "da", "der", "di", "do", "fa", "ge", "ha", "in", "ka", "ko", "la", "le",
    "li", "ma", "mi", "mo", "na", "pa", "pe", "po", "ra", "ri", "ro", "sa", "so", "ta", "ti", "un",
    "ver",
];

/// Words as people use them: few of them often, most of them hardly ever.
pub struct Language {
    rng: ChaCha8Rng,
    pub words: Vec<String>,
    weights: Vec<f64>,
}

impl Language {
    pub fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut words = std::collections::BTreeSet::new();
        while words.len() < WORDS {
            let syllables = 1 + below(&mut rng, 5);
            let word: String = (0..syllables)
                .map(|_| SYLLABLES[below(&mut rng, SYLLABLES.len())])
                .collect();
            words.insert(word);
        }
        // The short ones are the common ones.
        let mut words: Vec<(usize, String)> = words
            .into_iter()
            .map(|word| (word.len() + below(&mut rng, 6), word))
            .collect();
        words.sort();
        Self {
            rng,
            words: words.into_iter().map(|(_, word)| word).collect(),
            weights: zipf(WORDS),
        }
    }

    pub fn text(&mut self) -> String {
        let words = 4 + below(&mut self.rng, 22);
        let words: Vec<&str> = (0..words)
            .map(|_| self.words[pick(&mut self.rng, &self.weights)].as_str())
            .collect();
        words.join(" ")
    }
}

fn below(rng: &mut ChaCha8Rng, end: usize) -> usize {
    usize::try_from(rng.next_u64() % end as u64).expect("below a usize")
}

/// Sums of the weights up to each place.
fn zipf(places: usize) -> Vec<f64> {
    let mut sum = 0.0;
    (1_u32..)
        .take(places)
        .map(|place| {
            sum += 1.0 / (f64::from(place) + 1.7);
            sum
        })
        .collect()
}

fn pick(rng: &mut ChaCha8Rng, sums: &[f64]) -> usize {
    let all = sums.last().copied().unwrap_or_default();
    let wanted = f64::from(rng.next_u32()) / f64::from(u32::MAX) * all;
    sums.partition_point(|sum| *sum < wanted)
        .min(sums.len() - 1)
}

/// In the way in which they would have come, only faster. Gives the conversations, the largest first.
pub async fn write(store: &Store, language: &mut Language, count: usize) -> Vec<ConversationRow> {
    let users: Vec<UserId> = (0..CONVERSATIONS)
        .map(|n| format!("user.{n}").parse().expect("an id"))
        .collect();
    let mut rows = Vec::new();
    let mut tx = store.begin().await.expect("begun");
    for user in &users {
        let conversation = Conversation::User(user.clone());
        rows.push(
            conversations::ensure(&mut tx, &conversation)
                .await
                .expect("a conversation"),
        );
    }
    let sums = zipf(CONVERSATIONS);
    for n in 0..count {
        let text = language.text();
        let with = pick(&mut language.rng, &sums);
        let mut message_id = [0; 16];
        language.rng.fill_bytes(&mut message_id);
        let at_ms = 1_790_000_000_000 + n as u64;
        let new = NewMessage {
            conversation: rows[with],
            sender: &users[with],
            message_id: MessageId::from_bytes(message_id),
            timestamp_ms: at_ms,
            stored_ms: at_ms,
            installation_id: InstallationId::from_bytes([1; 8]),
            sequence: n as u64,
            retired_key: false,
            text: &text,
            reply_to: None,
        };
        received::add_message(&mut tx, &new).await.expect("stored");
        if n % 2000 == 1999 {
            tx.commit().await.expect("committed");
            tx = store.begin().await.expect("begun");
        }
    }
    tx.commit().await.expect("committed");
    rows
}

/// As the daemon does it, as far as said. Gives messages in a second.
pub async fn index(store: &Store, up_to: usize) -> f64 {
    const AT_ONCE: u32 = 128;
    let began = Instant::now();
    let mut done = 0;
    while done < up_to as u64 {
        let mut tx = store.begin().await.expect("begun");
        let some = search::index(&mut tx, AT_ONCE).await.expect("indexed");
        tx.commit().await.expect("committed");
        if some == 0 {
            break;
        }
        done += some;
    }
    let messages = u32::try_from(done).map_or(f64::NAN, f64::from);
    messages / began.elapsed().as_secs_f64()
}
