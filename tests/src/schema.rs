//! As much of JSON Schema as the contract's document uses, read strictly: what it does not name must not be there.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// Holds values against the schemas of a document.
#[derive(Debug)]
pub struct Schemas<'d>(pub &'d Value);

impl Schemas<'_> {
    /// Fails where the value is not as described, and tells where.
    pub fn check(&self, schema: &Value, value: &Value, place: &str) -> Result<()> {
        self.check_shape(schema, value, place)?;
        if let (Some(object), Some(known)) = (value.as_object(), self.names(schema)?) {
            for name in object.keys() {
                ensure!(
                    known.contains(name),
                    "{place}.{name} is not in the contract"
                );
            }
        }
        Ok(())
    }

    fn check_shape(&self, schema: &Value, value: &Value, place: &str) -> Result<()> {
        let Some(rules) = schema.as_object() else {
            ensure!(schema == &Value::Bool(true), "{place} must not be");
            return Ok(());
        };
        for (rule, what) in rules {
            let held = match rule.as_str() {
                "$ref" => {
                    self.check_shape(self.named(what)?, value, place)?;
                    true
                }
                "type" => all(what).any(|kind| is(value, kind)),
                "const" => value == what,
                "enum" => all(what).any(|allowed| value == allowed),
                "minimum" => value
                    .as_f64()
                    .is_none_or(|number| Some(number) >= what.as_f64()),
                "required" => all(what).all(|name| has(value, name)),
                "properties" => {
                    self.check_properties(what, value, place)?;
                    true
                }
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(what, item, &format!("{place}[{n}]"))?;
                    }
                    true
                }
                "allOf" => all(what).all(|part| self.check_shape(part, value, place).is_ok()),
                "anyOf" => self.fits(what, value, place) >= 1,
                "oneOf" => self.fits(what, value, place) == 1,
                "additionalProperties" | "format" | "description" | "title" | "default" => true,
                _ => bail!("{place}: the rule {rule:?} is not known here"),
            };
            ensure!(held, "{place} breaks {rule} {what}: {value}");
        }
        Ok(())
    }

    fn check_properties(&self, properties: &Value, value: &Value, place: &str) -> Result<()> {
        for (name, schema) in properties.as_object().context("properties")? {
            if let Some(property) = value.get(name) {
                self.check(schema, property, &format!("{place}.{name}"))?;
            }
        }
        Ok(())
    }

    fn fits(&self, schemas: &Value, value: &Value, place: &str) -> usize {
        all(schemas)
            .filter(|schema| self.check_shape(schema, value, place).is_ok())
            .count()
    }

    fn named(&self, reference: &Value) -> Result<&Value> {
        let path = reference.as_str().and_then(|path| path.strip_prefix('#'));
        self.0
            .pointer(path.context("a reference")?)
            .context("it leads nowhere")
    }

    /// The names that an object of the schema may have; none where it may have any.
    fn names(&self, schema: &Value) -> Result<Option<BTreeSet<String>>> {
        let mut names = BTreeSet::new();
        let mut told = false;
        if let Some(properties) = schema["properties"].as_object() {
            names.extend(properties.keys().cloned());
            told = true;
        }
        let mut parts: Vec<&Value> = Vec::new();
        if !schema["$ref"].is_null() {
            parts.push(self.named(&schema["$ref"])?);
        }
        for rule in ["allOf", "anyOf", "oneOf"] {
            parts.extend(all(&schema[rule]));
        }
        for part in parts {
            if let Some(more) = self.names(part)? {
                names.extend(more);
                told = true;
            }
        }
        Ok(told.then_some(names))
    }
}

/// One or several.
fn all(what: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match what {
        Value::Array(several) => Box::new(several.iter()),
        Value::Null => Box::new(std::iter::empty()),
        one => Box::new(std::iter::once(one)),
    }
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

fn has(value: &Value, name: &Value) -> bool {
    name.as_str().is_some_and(|name| value.get(name).is_some())
}
