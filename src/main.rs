fn main() -> std::process::ExitCode {
    git_credential_bitbucket::main()
}
