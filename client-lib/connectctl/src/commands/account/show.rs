//! `connectctl account show`

use clap::Args;
use connect_api::account;
use connect_api::page::Nothing;

use crate::context::Context;
use crate::error::Error;
use crate::{escape, table, time};

#[derive(Debug, Args)]
pub(crate) struct Show {}

pub(crate) async fn run(_: Show, context: &Context) -> Result<(), Error> {
    let account = context.call::<account::Get>(Nothing {}).await?;
    show(&account, context)
}

pub(super) fn show(account: &account::Account, context: &Context) -> Result<(), Error> {
    context.out.answer(account, || {
        table::pairs(
            &context.out,
            &[
                ("user", escape::line(&account.user_id)),
                ("name", escape::line(&account.display_name)),
                ("profession", escape::line(&account.profession)),
                ("organisation", escape::line(&account.organisation)),
                (
                    "attested",
                    if account.attested { "yes" } else { "no" }.into(),
                ),
                ("fingerprint", escape::line(&account.fingerprint)),
                ("relay", escape::line(&account.relay_url)),
                ("enrolled", time::local(account.enrolled_ms)),
                ("recovery key", recovery_key(account.has_recovery_key)),
                ("installation", escape::line(&account.installation_id)),
                ("box key", escape::line(&account.box_key_id)),
                ("sign key", escape::line(&account.sign_key_id)),
            ],
        )
    })
}

fn recovery_key(is_set: bool) -> String {
    if is_set {
        "set".to_owned()
    } else {
        "none: run connectctl recovery-key".to_owned()
    }
}
