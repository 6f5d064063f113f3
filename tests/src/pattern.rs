//! Holds what a daemon says against the contract's examples: everything is as written, and what differs from one world to
//! another is one and the same value wherever the example has the same.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use connect_api::examples::sample;
use serde_json::Value;

/// What stands for what in this world, by the example's value as JSON.
#[derive(Debug, Clone, Default)]
pub struct Meanings(BTreeMap<String, Value>);

impl Meanings {
    pub fn mean(&mut self, sample: impl Into<Value>, value: impl Into<Value>) {
        self.0.insert(sample.into().to_string(), value.into());
    }

    /// It may stand for another value from now on.
    pub fn forget(&mut self, sample: impl Into<Value>) {
        self.0.remove(&sample.into().to_string());
    }

    /// This world's value of a sample.
    pub fn of(&self, sample: impl Into<Value>) -> Result<&Value> {
        let sample = sample.into();
        self.0
            .get(&sample.to_string())
            .with_context(|| format!("nothing stands for {sample} yet"))
    }

    /// An example's parameters, to be sent.
    pub fn apply(&self, example: &Value) -> Result<Value> {
        Ok(match example {
            Value::Array(items) => items
                .iter()
                .map(|item| self.apply(item))
                .collect::<Result<_>>()?,
            Value::Object(members) => {
                let members = members.iter();
                members
                    .map(|(name, value)| Ok((name.clone(), self.apply(value)?)))
                    .collect::<Result<_>>()?
            }
            sample if is_sample(sample) => self.of(sample.clone())?.clone(),
            plain => plain.clone(),
        })
    }

    /// Fails unless `value` is as the example; what a sample stands for is learned where it is met first.
    pub fn learn(&mut self, example: &Value, value: &Value, place: &str) -> Result<()> {
        match (example, value) {
            (Value::Array(examples), Value::Array(values)) => {
                let (expected, got) = (examples.len(), values.len());
                ensure!(expected == got, "{place} has {got} items, not {expected}");
                for (n, (example, value)) in examples.iter().zip(values).enumerate() {
                    self.learn(example, value, &format!("{place}[{n}]"))?;
                }
                Ok(())
            }
            (Value::Object(examples), Value::Object(values)) => {
                let names = |members: &serde_json::Map<_, _>| {
                    members.keys().cloned().collect::<Vec<String>>()
                };
                let (expected, got) = (names(examples), names(values));
                ensure!(expected == got, "{place} has {got:?}, not {expected:?}");
                for (name, example) in examples {
                    if sample::OF_THE_MACHINE.contains(&name.as_str()) {
                        ensure!(
                            has_shape(example, &values[name]),
                            "{place}.{name} is {}, not like {example}",
                            values[name]
                        );
                        continue;
                    }
                    self.learn(example, &values[name], &format!("{place}.{name}"))?;
                }
                Ok(())
            }
            (sample, value) if is_sample(sample) => {
                let known = self
                    .0
                    .entry(sample.to_string())
                    .or_insert_with(|| value.clone());
                ensure!(
                    known == value,
                    "{place} is {value}, and {sample} stands for {known}"
                );
                Ok(())
            }
            (sample, value) if is_fresh(sample) => {
                ensure!(
                    is_fresh_like(sample, value),
                    "{place} is {value}, not like {sample}"
                );
                Ok(())
            }
            (plain, value) if plain == value => Ok(()),
            (plain, value) => bail!("{place} is {value}, not {plain}"),
        }
    }
}

/// Whether it stands for one other value all along.
fn is_sample(value: &Value) -> bool {
    match value {
        Value::String(text) => sample::TEXTS.contains(&text.as_str()),
        Value::Number(number) => number
            .as_u64()
            .is_some_and(|n| sample::NUMBERS.contains(&n)),
        _ => false,
    }
}

fn has_shape(example: &Value, value: &Value) -> bool {
    match (example, value) {
        (Value::Object(examples), Value::Object(values)) => {
            examples.len() == values.len()
                && examples.iter().all(|(name, example)| {
                    values
                        .get(name)
                        .is_some_and(|value| has_shape(example, value))
                })
        }
        _ => std::mem::discriminant(example) == std::mem::discriminant(value),
    }
}

/// Whether it is another one every time.
fn is_fresh(value: &Value) -> bool {
    match value {
        Value::String(text) => sample::FRESH.contains(&text.as_str()),
        Value::Number(number) => number.as_u64().is_some_and(|n| n >= sample::FIRST_TIME),
        _ => false,
    }
}

fn is_fresh_like(sample: &Value, value: &Value) -> bool {
    match (sample, value) {
        (Value::String(sample), Value::String(text)) => sample.len() == text.len(),
        // A clock that runs: no earlier than this contract.
        (Value::Number(_), value) => value.as_u64().is_some_and(|ms| ms >= sample::FIRST_TIME),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sample_stands_for_one_value_and_everything_else_is_as_written() {
        let mut meanings = Meanings::default();
        let example = json!({"id": sample::MESSAGE_ID, "n": 1, "at_ms": sample::WRITTEN_MS});
        let given = json!({"id": "aa", "n": 1, "at_ms": sample::LATER_MS + 5});
        meanings.learn(&example, &given, "it").unwrap();
        assert_eq!(
            meanings.apply(&json!([sample::MESSAGE_ID])).unwrap(),
            json!(["aa"])
        );
        for other in [
            json!({"id": "bb", "n": 1, "at_ms": sample::LATER_MS}),
            json!({"id": "aa", "n": 2, "at_ms": sample::LATER_MS}),
            json!({"id": "aa", "n": 1, "at_ms": 0}),
            json!({"id": "aa", "n": 1}),
            json!({"id": "aa", "n": 1, "at_ms": sample::LATER_MS, "more": 1}),
        ] {
            assert!(meanings.learn(&example, &other, "it").is_err(), "{other}");
        }
        assert!(meanings.apply(&json!(sample::ANSWER_ID)).is_err());
    }
}
