//! An independent user: `tests/python/independent_client.py`, a second implementation of the wire, its clock the story's.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use connect_api::conversation::Conversation;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::attachments::PATIENCE;
use crate::python::Answerer;
use crate::world::{Person, World};

/// Long polls for one message, each of ten seconds: whatever comes in between ends one.
const POLLS: usize = 60;

#[derive(Debug)]
pub struct Independent {
    answerer: Answerer,
    pub name: &'static str,
    elsewhere: PathBuf,
    /// What came and nobody has asked for yet.
    heard: Vec<Value>,
}

impl Independent {
    /// Not enrolled, unless its state was kept by an earlier one.
    pub fn stranger(world: &World, name: &'static str) -> Self {
        let mut independent = Self {
            answerer: Answerer::start("independent_client.py"),
            name,
            elsewhere: world.elsewhere().to_owned(),
            heard: Vec::new(),
        };
        independent.ask(&json!({
            "cmd": "init",
            "relay": world.relay_url(),
            "ca": world.relay_dir().join("ca.pem"),
            "user": name,
            "now_ms": world.now_ms(),
            "state": world.elsewhere().join(format!("{name}.json")),
        }));
        independent
    }

    pub async fn enrolled(world: &World, name: &'static str) -> Result<Self> {
        let mut independent = Self::stranger(world, name);
        let code = world.issue_code(name).await?;
        independent.enrolls(&code);
        Ok(independent)
    }

    pub fn enrolls(&mut self, code: &str) {
        let enroll = json!({ "cmd": "enroll", "code": code, "name": format!("Dr. {}", self.name) });
        let enrolled = self.ask(&enroll);
        assert_eq!(enrolled["user"], self.name, "{enrolled}");
    }

    pub fn ask(&mut self, question: &Value) -> Value {
        tokio::task::block_in_place(|| self.answerer.ask(question))
    }

    /// Asks for what has to go well; what is posted has to be taken by the relay.
    pub fn does(&mut self, question: &Value) -> Value {
        let answer = self.ask(question);
        let is_well =
            answer["error"].is_null() && (answer["status"].is_null() || status(&answer) == 204);
        assert!(is_well, "{question} is answered with {answer}");
        answer
    }

    /// Sends, with options of mischief, and gives the answer.
    pub fn sends(&mut self, to: &str, text: &str, options: Value) -> Value {
        let mut question = json!({ "cmd": "send", "to": to, "text": text });
        let options: serde_json::Map<_, _> = serde_json::from_value(options).expect("an object");
        question.as_object_mut().expect("an object").extend(options);
        self.ask(&question)
    }

    /// Seals a file of these bytes and says where it is in a conversation (`{"to": …}`, `{"group": …}`, `{"case": …}`).
    pub fn attaches(
        &mut self,
        place: &Value,
        bytes: &[u8],
        mischief: Option<&str>,
    ) -> Result<Value> {
        let path = self.elsewhere.join("attached");
        std::fs::write(&path, bytes)?;
        let mut question = json!({
            "cmd": "attach",
            "path": path,
            "filename": "knee.dcm",
            "media_type": "application/dicom",
            "caption": "left knee",
            "mischief": mischief,
        });
        let place = place.as_object().context("a place")?.clone();
        question.as_object_mut().context("an object")?.extend(place);
        Ok(self.does(&question))
    }

    /// The bytes of a file that it was told of, or why it does not have them.
    pub fn fetches(&mut self, attachment: &Value) -> Result<std::result::Result<Vec<u8>, String>> {
        let path: &Path = &self.elsewhere.join("fetched");
        let question = json!({ "cmd": "fetch", "attachment": attachment, "path": path });
        let answer = self.ask(&question);
        if let Some(refused) = answer["error"].as_str() {
            return Ok(Err(refused.to_owned()));
        }
        Ok(Ok(std::fs::read(path)?))
    }

    /// Waits for a message as wanted; what came besides is kept for the next one that asks.
    pub fn hears(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..POLLS {
            if let Some(place) = self.heard.iter().position(&wanted) {
                return self.heard.remove(place);
            }
            self.listens(10_000);
        }
        panic!("it did not come, but {:?}", self.heard)
    }

    /// Waits until a case, or a group, is here as wanted.
    pub fn sees(&mut self, question: &Value, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut found = Value::Null;
        for _ in 0..POLLS {
            found = self.ask(question);
            if found["error"].is_null() && wanted(&found) {
                return found;
            }
            self.listens(10_000);
        }
        panic!("it is {found}; {:?} came", self.heard)
    }

    /// Waits for a message that it does not take, and tells why.
    pub fn refuses(&mut self, message_id: &Value) -> String {
        for _ in 0..POLLS {
            for message in self.receives() {
                if message["kind"] == "refused" && message["message_id"] == *message_id {
                    return message["reason"].as_str().unwrap_or_default().to_owned();
                }
            }
        }
        panic!("it was not refused")
    }

    /// Takes in what comes. Nothing of it may be refused.
    fn listens(&mut self, wait_ms: u64) {
        let received = self.ask(&json!({ "cmd": "receive", "wait_ms": wait_ms }));
        let messages = received["messages"].as_array();
        for message in messages.unwrap_or_else(|| panic!("{received}")) {
            assert_ne!(message["kind"], "refused", "{message}");
            self.heard.push(message.clone());
        }
    }

    /// The next messages that are something: a contact update is acknowledged and passed over.
    pub fn receives(&mut self) -> Vec<Value> {
        for _ in 0..10 {
            let received = self.ask(&json!({ "cmd": "receive", "wait_ms": 10_000 }));
            let messages = received["messages"].as_array().expect("messages").clone();
            let spoken = |message: &Value| {
                message["kind"] != "contact_update" && message["kind"] != "receipt"
            };
            let messages: Vec<Value> = messages.into_iter().filter(spoken).collect();
            if !messages.is_empty() {
                return messages;
            }
        }
        panic!("nothing came")
    }

    /// What lies in the mailbox right now, after everything seen before is acknowledged.
    pub fn finds(&mut self) -> Value {
        self.ask(&json!({ "cmd": "receive", "wait_ms": 0 }))
    }
}

pub fn status(answer: &Value) -> u64 {
    answer["status"]
        .as_u64()
        .unwrap_or_else(|| panic!("{answer}"))
}

/// What Carol sent, as it comes to one of ours.
pub async fn comes_to(
    person: &Person,
    sent: &Value,
    conversation: &Conversation,
    text: &str,
) -> Result<()> {
    let message_id = sent["message_id"].as_str().context("an id")?;
    let message = timeout(PATIENCE, person.receives(message_id)).await??;
    assert_eq!(message.conversation, *conversation);
    let said = (message.author.as_str(), message.text.as_str());
    assert_eq!(said, ("carol", text));
    Ok(())
}
