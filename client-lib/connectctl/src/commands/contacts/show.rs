//! `connectctl contacts show`

use clap::Args;
use connect_api::contacts::{self, Contact, ContactKey, UserParams};

use crate::context::Context;
use crate::error::Error;
use crate::output::Output;
use crate::{escape, table, time, words};

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The user's id.
    #[arg(value_name = "USER")]
    user_id: String,
}

pub(crate) async fn run(args: Show, context: &Context) -> Result<(), Error> {
    let params = UserParams {
        user_id: args.user_id,
    };
    let contact = context.call::<contacts::Get>(params).await?;
    context
        .out
        .answer(&contact, || text(&context.out, &contact))
}

pub(super) fn text(out: &Output, contact: &Contact) -> String {
    let fingerprint = contact.fingerprint.as_deref().unwrap_or("no key known yet");
    let mut pairs = vec![
        ("user", escape::line(&contact.user_id)),
        ("name", escape::line(&contact.display_name)),
        ("profession", escape::line(&contact.profession)),
        ("organisation", escape::line(&contact.organisation)),
        (
            "attested",
            if contact.attested { "yes" } else { "no" }.into(),
        ),
        ("key", words::trust(contact.trust)),
        ("fingerprint", escape::line(fingerprint)),
        ("added", time::local(contact.added_ms)),
        ("blocked", if contact.blocked { "yes" } else { "no" }.into()),
    ];
    pairs.extend(contact.keys.iter().map(|key| ("had key", key_line(key))));
    if let Some(contradicted) = contact.contradiction {
        let since = time::local(contradicted.since_ms);
        let how = words::spaced(&contradicted.how);
        pairs.push((
            "DIRECTORY",
            format!("contradicts what is known since {since}: {how}"),
        ));
    }
    table::pairs(out, &pairs)
}

fn key_line(key: &ContactKey) -> String {
    let mut words = format!(
        "{}, {} since {}",
        key.revision,
        words::spaced(&key.state),
        time::local(key.changed_ms)
    );
    if key.countersigned {
        words.push_str(", signed by the key before");
    }
    if let Some(decision) = key.decision {
        words.push_str(", ");
        words.push_str(&words::spaced(&decision));
    }
    words
}
