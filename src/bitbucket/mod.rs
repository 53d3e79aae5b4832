//! What is true of Bitbucket and may change: hosts, kinds of credential, prefixes, pages, scopes, REST answers, OAuth, dates.
//!
//! Nothing of it stands anywhere else. Each fact names its source; all were checked on 2026-11-27.

mod host;
mod kind;
pub(crate) mod oauth;
mod pages;
mod pasted;
pub(crate) mod reach;
mod rest;
pub(crate) mod site;
mod tokens;

pub(crate) use self::host::{
    API_HOST, cloud, home_of, hosts_asked_for, is_cloud, of_ssh, without_alias,
};
pub(crate) use self::kind::{Kind, removed, static_usernames};
pub(crate) use self::pages::{API_TOKEN_PAGE, PROFILE_PAGE, grants, how_to_make};
pub(crate) use self::pasted::{Pasted, joined, understood};
pub(crate) use self::reach::Reach;
pub(crate) use self::rest::{
    Service, announced_end, clone_url, context_of, display_name, granted_scopes, has_no_workspace,
    is_api_token, is_below_the_context, is_general_rest, is_of_a_git_server, is_of_bitbuckets_git,
    is_of_git, is_rest, is_workspace_token, knows_the_secret, lacks_a_scope, lacks_all_scopes,
    paths_of, renamed, service_url, signed_in_users, username, wants_a_captcha, whoami_url,
    why_forbidden, workspace_url,
};
pub(crate) use self::tokens::{
    is_filler, is_of_a_service_account, is_token_for_a_name, looks_like_a_secret, masked, pattern,
    put_right, tokens_in,
};
