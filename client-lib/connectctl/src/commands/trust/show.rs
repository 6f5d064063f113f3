//! `connectctl trust show`

use clap::Args;
use connect_api::contacts::UserParams;
use connect_api::trust::Fingerprint;

use crate::context::Context;
use crate::error::Error;
use crate::{escape, qr};

const GROUPS_IN_A_LINE: usize = 6;

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
    let user = escape::line(&params.user_id);
    let shown = context.call::<Fingerprint>(params).await?;
    context.out.answer(&shown, || {
        let code = qr::draw(&context.out, &shown.qr);
        let digits = in_lines(&shown.digits);
        format!(
            "{code}\n{digits}\n\n{user} sees the same. Compare it where you are sure of each other, then:\n  \
             connectctl trust compare {user} DIGITS"
        )
    })
}

/// Two lines of six groups: a line is not one side's, the lower half comes first for both.
fn in_lines(digits: &str) -> String {
    let groups: Vec<String> = digits.split(' ').map(escape::line).collect();
    let lines: Vec<String> = groups
        .chunks(GROUPS_IN_A_LINE)
        .map(|line| line.join(" "))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_two_lines_of_six_groups() {
        let digits = "00001 00002 00003 00004 00005 00006 00007 00008 00009 00010 00011 00012";
        assert_eq!(
            in_lines(digits),
            "00001 00002 00003 00004 00005 00006\n00007 00008 00009 00010 00011 00012"
        );
    }
}
