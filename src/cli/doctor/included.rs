//! The file that `setup` has git's configuration include.

use anyhow::Result;

use super::finding::Check;
use super::surroundings::Surroundings;
use crate::cli::setup::Place;
use crate::sys::error::shell_quoted;
use crate::sys::files;

const ID: &str = "setup";

/// Whether git can read the file, for every user, and whether it says what `setup` would write.
pub(super) fn checks(surroundings: &Surroundings<'_>) -> Vec<Check> {
    let session = surroundings.session;
    // Another check reports that there is no home folder.
    let places = [false, true]
        .into_iter()
        .flat_map(|is_system| Place::new(session, is_system));
    let check = |place: Place<'_>| {
        let check = of_place(surroundings, &place);
        check.unwrap_or_else(|error| Some(Check::failed(ID, &error)))
    };
    places.filter_map(check).collect()
}

fn of_place(surroundings: &Surroundings<'_>, place: &Place<'_>) -> Result<Option<Check>> {
    let path = &place.included;
    let shown = path.display();
    let (sudo, option) = if place.is_system {
        ("sudo ", " --system")
    } else {
        ("", "")
    };
    let setup = format!("'{sudo}git credential-bitbucket setup{option}'");
    let git = surroundings.git.as_ref();
    let is_included = git.is_some_and(|git| place.is_included(&git.settings));
    if !path.exists() {
        let message = format!("git's configuration includes '{shown}', which does not exist");
        return Ok(is_included.then(|| Check::warn(ID, message, setup)));
    }
    let folder = path.parent().filter(|_| !place.is_private());
    for path in [Some(path.as_path()), folder].into_iter().flatten() {
        if let Some(mode) = files::missing_mode(path)? {
            let name = path.display().to_string();
            let message = format!(
                "the mode of '{name}' is not {mode:04o}: git fails where it cannot read a file that it includes, and nobody else should change it"
            );
            let hint = format!("'{sudo}chmod {mode:o} {}'", shell_quoted(&name));
            return Ok(Some(Check::fail(ID, message, hint)));
        }
    }
    // Other checks report accounts and settings that cannot be read.
    if is_included && !place.is_up_to_date().unwrap_or(true) {
        let message = format!("'{shown}' is not as setup writes it");
        return Ok(Some(Check::warn(ID, message, setup)));
    }
    let message = format!("git can read '{shown}'");
    Ok(Some(Check::pass(ID, message)))
}
