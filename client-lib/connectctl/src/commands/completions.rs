//! `connectctl completions`

use clap::Args;
use clap_complete::Shell;

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell that is to read it.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(
    Completions { shell }: Completions,
    context: &Context,
    grammar: clap::Command,
) -> Result<(), Error> {
    context.out.bytes(&script(shell, grammar))
}

/// Made in memory, since the generator panics where it cannot write.
fn script(shell: Shell, mut grammar: clap::Command) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut grammar, "connectctl", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, ValueEnum as _};

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell, Cli::command())).unwrap();
            assert!(
                script.contains("mark-read") && script.contains("pin-file"),
                "{shell}"
            );
        }
    }
}
