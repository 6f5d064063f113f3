//! Makes an example's call, and holds what comes against it and against the schemas.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use connect_api::events::{NOTIFICATION, SUBSCRIBE};
use connect_api::examples::sample;
use connect_tests::pattern::Meanings;
use connect_tests::raw::Raw;
use connect_tests::schema::Schemas;
use connect_tests::world::Person;
use serde_json::{Value, json};
use tokio::time::timeout;

/// With an event that does not come.
const PATIENCE: Duration = Duration::from_mins(1);
/// What the host is like, and not the daemon.
const OF_THE_HOST: &str = "host";

pub(crate) struct Run {
    pub(crate) document: Value,
    pub(crate) meanings: Meanings,
    /// Method or notification, and the example's name.
    pub(crate) went: BTreeSet<(String, String)>,
}

/// OpenRPC has an example's parameters one by one.
pub(crate) fn object(params: &Value) -> Value {
    let params = params.as_array().into_iter().flatten();
    params
        .map(|param| {
            let name = param["name"].as_str().unwrap_or_default();
            (name.to_owned(), param["value"].clone())
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn by_name<'d>(list: &'d Value, name: &str) -> Result<&'d Value> {
    let mut items = list.as_array().into_iter().flatten();
    items
        .find(|item| item["name"] == name)
        .with_context(|| format!("there is no {name:?}"))
}

impl Run {
    pub(crate) fn new(document: Value) -> Self {
        Self {
            document,
            meanings: Meanings::default(),
            went: BTreeSet::new(),
        }
    }

    /// The example of that name goes as it says.
    pub(crate) async fn goes(&mut self, raw: &mut Raw, method: &str, name: &str) -> Result<()> {
        let described = by_name(&self.document["methods"], method)?.clone();
        let example = by_name(&described["examples"], name)?;
        let params = self.meanings.apply(&object(&example["params"]))?;
        let id = raw.ask(method, params).await?;
        let mut answer = raw.line().await?.context("an answer")?;
        // What was subscribed to goes on until that is answered.
        while answer["method"] == NOTIFICATION {
            answer = raw.line().await?.context("an answer")?;
        }
        assert_eq!(answer["id"], id);
        let place = format!("{method}, {name:?}");
        match example.get("x-error") {
            Some(error) => self.check_error(&described, error, &answer["error"], &place)?,
            None => self.check_result(&described, example, &answer, &place)?,
        }
        self.went.insert((method.to_owned(), name.to_owned()));
        Ok(())
    }

    fn check_result(
        &mut self,
        described: &Value,
        example: &Value,
        answer: &Value,
        place: &str,
    ) -> Result<()> {
        ensure!(answer["error"].is_null(), "{place}: {answer}");
        let schema = &described["result"]["schema"];
        let expected = &example["result"]["value"];
        for value in [expected, &answer["result"]] {
            Schemas(&self.document).check(schema, value, place)?;
        }
        let comparable = match described["name"].as_str() {
            Some("rpc.discover") => beginning(expected, &answer["result"]),
            Some("system.health") => {
                let mut health = answer["result"].clone();
                health[OF_THE_HOST] = expected[OF_THE_HOST].clone();
                health
            }
            _ => answer["result"].clone(),
        };
        self.meanings.learn(expected, &comparable, place)
    }

    fn check_error(
        &mut self,
        described: &Value,
        expected: &Value,
        error: &Value,
        place: &str,
    ) -> Result<()> {
        let code = expected["data"]["code"].as_str().context("a code")?;
        let told = json!({"$ref": format!("#/components/errors/{code}")});
        let errors = described["errors"].as_array().context("errors")?;
        ensure!(
            errors.contains(&told),
            "{place}: {code} is not among its errors"
        );
        let schema = &self.document["components"]["errors"][code]["data"];
        for data in [&expected["data"], &error["data"]] {
            Schemas(&self.document).check(schema, data, place)?;
        }
        self.meanings.learn(expected, error, place)
    }

    /// Among everything that a daemon ever told its subscribers is that example.
    pub(crate) async fn comes(&mut self, person: &Person, name: &str) -> Result<()> {
        let described = self.document["x-notifications"][0].clone();
        let example = by_name(&described["examples"], name)?;
        let expected = object(&example["params"]);
        let schema = &described["params"]["result"];
        Schemas(&self.document).check(schema, &expected["result"], name)?;
        // Each is one of its own in the log.
        let mut meanings = self.meanings.clone();
        meanings.forget(sample::EVENT_ID);
        let mut raw = Raw::connect(person.endpoint.path()).await?;
        raw.call(SUBSCRIBE, json!({"after": 0})).await?;
        loop {
            let line = timeout(PATIENCE, raw.line()).await;
            let line = line.with_context(|| format!("{name:?} does not come"))?;
            let line = line?.context("an event")?;
            assert_eq!(line["method"], described["name"]);
            Schemas(&self.document).check(schema, &line["params"]["result"], name)?;
            let told = &line["params"];
            if meanings.clone().learn(&expected, told, name).is_ok() {
                break;
            }
        }
        self.went.insert((NOTIFICATION.to_owned(), name.to_owned()));
        Ok(())
    }
}

/// As much of it as the example shows.
fn beginning(example: &Value, value: &Value) -> Value {
    match (example.as_object(), value.as_object()) {
        (Some(example), Some(members)) => example
            .iter()
            .filter_map(|(name, example)| {
                let value = members.get(name)?;
                Some((name.clone(), beginning(example, value)))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => value.clone(),
    }
}
