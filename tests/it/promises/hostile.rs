//! Input that nobody means well with, and what git makes of our own words.

use crate::support::harness::{API_TOKEN, PROGRAM, TestEnv, rounds, run};

#[test]
fn floods_end_in_bounded_time_and_memory_and_get_no_answer() {
    let env = TestEnv::new();
    env.login(API_TOKEN, &["mine"]);
    let start = "protocol=https\nhost=bitbucket.org\n";
    let floods: [(&str, Vec<u8>); 6] = [
        (
            "one line",
            [start.as_bytes(), b"wwwauth[]=", &vec![b'x'; 10 << 20]].concat(),
        ),
        ("no line end", vec![b'h'; 10 << 20]),
        (
            "attributes",
            format!("{start}{}", "capability[]=x\n".repeat(100_000)).into_bytes(),
        ),
        (
            "unknown keys",
            format!("{start}{}", "k=v\n".repeat(400_000)).into_bytes(),
        ),
        ("NUL bytes", vec![0; 10 << 20]),
        (
            "no UTF-8",
            [start.as_bytes(), b"path=", &vec![0xff; 2 << 20]].concat(),
        ),
    ];
    for (what, flood) in floods {
        for operation in ["get", "store", "erase"] {
            // 128 MiB of addresses, most of them for the program itself: what is read must not be kept.
            let mut command = env.command("sh");
            command.args([
                "-c",
                "ulimit -v 131072; exec \"$0\" \"$1\"",
                PROGRAM,
                operation,
            ]);
            let outcome = run(command, &flood);
            assert_eq!(
                (outcome.status, outcome.stdout.as_str(), outcome.took_all),
                (0, "", true),
                "{what}, {operation}: {}",
                outcome.stderr
            );
        }
    }
    assert_eq!(env.accounts()[0]["state"], "ok");
}

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    /// Any bytes that git's protocol can carry.
    fn value(&mut self, longest: usize) -> Vec<u8> {
        let length = 1 + self.next(longest);
        let byte = |numbers: &mut Self| loop {
            let byte = u8::try_from(numbers.next(256)).unwrap();
            if !matches!(byte, 0 | b'\n' | b'\r') {
                return byte;
            }
        };
        (0..length).map(|_| byte(self)).collect()
    }
}

#[test]
fn what_git_gives_us_git_gets_back_to_the_byte() {
    let env = TestEnv::new();
    env.configure_plain();
    std::fs::create_dir_all(env.data()).unwrap();
    std::fs::write(
        env.data().join("config.toml"),
        "[store]\ndefault = 'file'\n",
    )
    .unwrap();
    let git = |operation: &str, input: &[u8]| {
        let mut command = env.command("git");
        command.args(["credential", operation]);
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let mut numbers = Numbers(0x2545_F491_4F6C_DD1D);
    for number in 0..rounds(120) {
        let name = [format!("u{number}").into_bytes(), numbers.value(20)].concat();
        let password = numbers.value([1, 8, 300, 9000][number % 4]);
        let wanted = [
            b"protocol=https\nhost=bitbucket.org\nusername=",
            &name[..],
            b"\n",
        ]
        .concat();
        let given = [&wanted[..], b"password=", &password, b"\n"].concat();
        git("approve", &given);
        assert_eq!(git("fill", &wanted), given, "{number}");
    }
}
