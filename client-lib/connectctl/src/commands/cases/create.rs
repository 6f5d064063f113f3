//! `connectctl cases create`

use clap::Args;
use connect_api::cases::{self, CreateParams};

use crate::context::Context;
use crate::error::Error;
use crate::escape;

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What the case is called.
    title: String,
    /// The patient's identifier in the record system.
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// A contact who takes part; may be given several times.
    #[arg(long = "with", value_name = "USER")]
    participants: Vec<String>,
    /// A first field; may be given several times.
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    fields: Vec<(String, String)>,
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) async fn run(args: Create, context: &Context) -> Result<(), Error> {
    let params = CreateParams {
        title: args.title,
        patient_reference: args.patient,
        participants: args.participants,
        fields: args.fields.into_iter().collect(),
    };
    let case = context.call::<cases::Create>(params).await?;
    context.out.answer(&case, || {
        let id = escape::line(&case.case);
        format!("Case {id}. Write into it: connectctl send case:{id} TEXT")
    })
}
