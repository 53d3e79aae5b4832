//! `switch`: puts an account first, or lists the order.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cli::output;
use crate::settings::Session;
use crate::sys::{message, printable};

#[derive(Debug, Args)]
pub(crate) struct Switch {
    /// The account to put first; without it, the order is listed
    pub(crate) name: Option<String>,
}

pub(crate) fn run(arguments: &Switch) -> Result<ExitCode> {
    let session = Session::default();
    let accounts = session.accounts()?;
    let Some(name) = arguments.name.as_deref() else {
        let names = accounts
            .in_order()
            .map(|account| printable(&account.name) + "\n");
        output::print(names.collect::<String>().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    output::pick(&accounts, Some(name))?;
    session.update_accounts(|accounts| {
        accounts.put_first(name);
        Ok(())
    })?;
    message::tell(&format!(
        "'{name}' now comes before accounts that fit equally"
    ));
    Ok(ExitCode::SUCCESS)
}
