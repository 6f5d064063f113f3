//! Which conversation is meant: a user's id, or `user:ID`, `group:HEX`, `case:HEX`.

use connect_api::conversation::Conversation;

use crate::escape;

pub(crate) fn parse(text: &str) -> Result<Conversation, String> {
    let (kind, id) = text.split_once(':').unwrap_or(("user", text));
    if id.is_empty() {
        return Err("the id is missing".into());
    }
    let conversation = match kind {
        "user" => Conversation::User(id.into()),
        "group" => Conversation::Group(id.into()),
        "case" => Conversation::Case(id.into()),
        _ => return Err("not a user's id, nor user:ID, group:ID or case:ID".into()),
    };
    Ok(conversation)
}

/// As it can be given to a command again.
pub(crate) fn show(conversation: &Conversation) -> String {
    match conversation {
        Conversation::User(id) => escape::line(id),
        Conversation::Group(id) => format!("group:{}", escape::line(id)),
        Conversation::Case(id) => format!("case:{}", escape::line(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood_and_shown_as_it_is_understood() {
        for (text, expected) in [
            ("u1", Conversation::User("u1".into())),
            ("user:u1", Conversation::User("u1".into())),
            ("group:ab", Conversation::Group("ab".into())),
            ("case:cd", Conversation::Case("cd".into())),
        ] {
            assert_eq!(parse(text).unwrap(), expected);
            assert_eq!(parse(&show(&expected)).unwrap(), expected);
        }
        for text in ["", "user:", "ward:7"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
