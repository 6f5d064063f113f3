//! The only place that writes: answers to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use connect_client::error::CallError;
use owo_colors::{OwoColorize, Style};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::global::{Color, Global};
use crate::{escape, hint};

#[derive(Debug, Clone)]
pub(crate) struct Output {
    form: Form,
    color: bool,
    color_on_errors: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    ForPeople,
    JsonLine,
    PrettyJson,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            form: match (global.pretty, global.json) {
                (true, _) => Form::PrettyJson,
                (false, true) => Form::JsonLine,
                (false, false) => Form::ForPeople,
            },
            color: wants_color(global.color, io::stdout().is_terminal()),
            color_on_errors: wants_color(global.color, io::stderr().is_terminal()),
        }
    }

    /// Whether a program reads the answer.
    pub(crate) fn is_json(&self) -> bool {
        self.form != Form::ForPeople
    }

    /// An answer, for whoever reads it. What is for people ends without a line break, and is escaped already.
    pub(crate) fn answer(
        &self,
        answer: &impl Serialize,
        for_people: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        match self.form {
            Form::ForPeople => write(for_people()),
            form => write_json(answer, form),
        }
    }

    /// An answer that is JSON for people too.
    pub(crate) fn document(&self, document: &impl Serialize) -> Result<(), Error> {
        match self.form {
            Form::ForPeople => write_json(document, Form::PrettyJson),
            form => write_json(document, form),
        }
    }

    /// Text for people.
    pub(crate) fn text(&self, text: String) -> Result<(), Error> {
        debug_assert!(!self.is_json(), "programs get JSON");
        write(text)
    }

    /// Bytes as they are.
    #[expect(clippy::unused_self, reason = "all output goes through an Output")]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        write_bytes(bytes)
    }

    /// A remark beside the answer, for people only.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_json() {
            let note = paint(self.color_on_errors, text, Style::new().dimmed());
            complain(&note);
        }
    }

    /// A remark that matters to programs' authors too.
    pub(crate) fn warn(&self, text: &str) {
        let word = paint(
            self.color_on_errors,
            "warning:",
            Style::new().yellow().bold(),
        );
        complain(&format!("{word} {text}"));
    }

    /// Why the command ended.
    pub(crate) fn error(&self, error: &Error) {
        if error.is_quiet() {
            return;
        }
        if self.is_json() {
            json_error(error);
            return;
        }
        let word = paint(self.color_on_errors, "error:", Style::new().red().bold());
        complain(&format!("{word} {}", escape::line(&error.to_string())));
        if let Some(next) = hint::next_step(error) {
            complain(&format!("  {}", escape::line(&next)));
        }
    }

    /// For who writes a program, beside an error that follows.
    pub(crate) fn if_json(&self, answer: &impl Serialize) -> Result<(), Error> {
        match self.form {
            Form::ForPeople => Ok(()),
            form => write_json(answer, form),
        }
    }

    pub(crate) fn has_color(&self) -> bool {
        self.color
    }

    /// Black on white, whatever the terminal's own colours are; as it is where no colour is wanted.
    pub(crate) fn on_white(&self, text: &str) -> String {
        let style = Style::new().black().on_truecolor(255, 255, 255);
        paint(self.color, text, style.truecolor(0, 0, 0))
    }

    /// In colour, where colour is wanted.
    pub(crate) fn paint(&self, text: &str, style: Style) -> String {
        paint(self.color, text, style)
    }
}

/// `{"error": {code, name, message, data}}`; the code is null where the daemon did not say it.
pub(crate) fn json_error(error: &Error) {
    let (code, data) = match error {
        Error::Call(CallError::Daemon { code, data }) => (Some(code.number()), json!(data)),
        _ => (None, Value::Null),
    };
    let error = json!({"error": {
        "code": code,
        "name": error.name(),
        "message": error.to_string(),
        "data": data,
    }});
    complain(&escape::json(&error.to_string()));
}

fn wants_color(choice: Color, is_terminal: bool) -> bool {
    let said = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            is_terminal
                && said("NO_COLOR").is_none()
                && said("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

fn paint(wanted: bool, text: &str, style: Style) -> String {
    if wanted {
        text.style(style).to_string()
    } else {
        text.to_owned()
    }
}

fn write_json(value: &impl Serialize, form: Form) -> Result<(), Error> {
    let text = match form {
        Form::PrettyJson => serde_json::to_string_pretty(value),
        Form::JsonLine | Form::ForPeople => serde_json::to_string(value),
    };
    let text = text.map_err(|_| Error::Call(CallError::Protocol))?;
    write(escape::json(&text))
}

fn write(mut text: String) -> Result<(), Error> {
    text.push('\n');
    write_bytes(text.as_bytes())
}

/// Flushed at once: whoever follows events through a pipe waits for each.
fn write_bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(Error::Output)
}

/// Where even this fails, there is nobody left to tell.
fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
