# Not run: it was written without a Mac, and before the first release. OWNER and the checksum are to be filled in.
class GitCredentialBitbucket < Formula
  desc "Git credential helper for Bitbucket"
  homepage "https://github.com/OWNER/git-credential-bitbucket"
  url "https://github.com/OWNER/git-credential-bitbucket/archive/refs/tags/v0.2.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    man1.install "docs/git-credential-bitbucket.1"
    generate_completions_from_executable(bin/"git-credential-bitbucket", "completions")
  end

  def caveats
    <<~EOS
      Your git configuration is as it was. To use the helper:
        git credential-bitbucket setup
        git credential-bitbucket login
      Before you uninstall it:
        git credential-bitbucket setup --undo
    EOS
  end

  test do
    ENV["GIT_CREDENTIAL_BITBUCKET_HOME"] = testpath
    ENV["BITBUCKET_API_TOKEN"] = "of-the-test"
    request = "protocol=https\nhost=bitbucket.org\n\n"
    assert_match "password=of-the-test", pipe_output("#{bin}/git-credential-bitbucket get", request, 0)
  end
end
