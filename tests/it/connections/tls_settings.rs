//! Wrong settings of TLS: all problems at once, and nothing of the files' contents.

use std::collections::BTreeMap;

use fineract_gateway::config::{Config, ConfigProblems};

use crate::support::{
    authority::{Authority, Issued, write},
    command::TemporaryFolder,
};

const FINERACT: &str = "https://fineract.example/api/v1";

/// Files, right ones and others.
struct Files {
    folder: TemporaryFolder,
    issued: Issued,
}

impl Files {
    fn new() -> Self {
        let authority = Authority::new();
        let [issued, other] = [authority.issue(2040), authority.issue(2040)];
        let folder = TemporaryFolder::new();
        for (name, content) in [
            ("certificate", issued.certificate.as_str()),
            ("key", &issued.key),
            ("other-key", &other.key),
            ("text", "hush hush"),
            (
                "broken",
                "-----BEGIN CERTIFICATE-----\nhush!\n-----END CERTIFICATE-----\n",
            ),
            (
                "no-certificate",
                "-----BEGIN CERTIFICATE-----\naHVzaA==\n-----END CERTIFICATE-----\n",
            ),
        ] {
            write(&folder, name, content);
        }
        Self { folder, issued }
    }

    /// Reads the settings that a gateway needs, and these, whose values are names of files.
    fn read(&self, url: &str, files: &[(&str, &str)]) -> Result<Config, ConfigProblems> {
        let enough = [
            ("DATABASE_URL", "postgres://gateway@db/gateway"),
            ("FINERACT_URL", url),
            ("FINERACT_USER", "gateway"),
            ("FINERACT_PASSWORD", "hush"),
        ];
        let enough = enough.map(|(name, value)| (name, value.to_owned()));
        let files = files.iter().map(|(name, file)| {
            let path = format!("{}/{file}", self.folder.path());
            (*name, path)
        });
        let variables: BTreeMap<_, _> = enough.into_iter().chain(files).collect();
        Config::read(|name| variables.get(name).cloned())
    }

    /// Asserts that these settings have exactly these problems. `…` stands for the folder.
    fn assert_problems(&self, url: &str, files: &[(&str, &str)], expected: &[&str]) {
        let read = self.read(url, files);
        let ConfigProblems(problems) = read.expect_err("wrong settings");
        let problems = problems.into_iter().map(|problem| {
            let said = format!("{} {}", problem.variable, problem.problem);
            said.replace(self.folder.path(), "…")
        });
        assert_eq!(problems.collect::<Vec<_>>(), expected);
    }
}

/// Settings with the names of files, and their problems.
type Case = (
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

#[test]
fn all_problems_are_named_at_once_and_nothing_of_the_contents() {
    let files = Files::new();
    let cases: [Case; 5] = [
        (
            &[("TLS_CERT_FILE", "no-certificate")],
            &["TLS_KEY_FILE is missing, but TLS_CERT_FILE is set"],
        ),
        (
            &[("TLS_KEY_FILE", "text"), ("TLS_CLIENT_CA_FILE", "missing")],
            &[
                "TLS_CERT_FILE is missing, but TLS_KEY_FILE is set",
                "TLS_KEY_FILE names …/text, which contains no private key in PEM format, or only an encrypted one",
                "TLS_CLIENT_CA_FILE is set, but has no effect without TLS_CERT_FILE and TLS_KEY_FILE",
                "TLS_CLIENT_CA_FILE names …/missing, which cannot be read: No such file or directory (os error 2)",
            ],
        ),
        (
            &[
                ("TLS_CERT_FILE", "missing"),
                ("TLS_KEY_FILE", "certificate"),
                ("TLS_CLIENT_CA_FILE", "key"),
            ],
            &[
                "TLS_CERT_FILE names …/missing, which cannot be read: No such file or directory (os error 2)",
                "TLS_KEY_FILE names …/certificate, which contains no private key in PEM format, or only an encrypted one",
                "TLS_CLIENT_CA_FILE names …/key, which contains no certificate in PEM format",
            ],
        ),
        (
            &[
                ("TLS_CERT_FILE", "certificate"),
                ("TLS_KEY_FILE", "other-key"),
                ("TLS_CLIENT_CA_FILE", "no-certificate"),
            ],
            &[
                "TLS_KEY_FILE names …/other-key, which does not belong to the certificate of TLS_CERT_FILE",
                "TLS_CLIENT_CA_FILE names …/no-certificate, which contains no valid certificate of a CA",
            ],
        ),
        (
            &[("TLS_CERT_FILE", "broken"), ("TLS_KEY_FILE", "key")],
            &["TLS_CERT_FILE names …/broken, which is not in PEM format"],
        ),
    ];
    for (settings, expected) in cases {
        files.assert_problems(FINERACT, settings, expected);
    }
}

#[test]
fn problems_of_the_certificate_for_fineract_are_named_too() {
    let files = Files::new();
    files.assert_problems(
        "http://fineract.example/api/v1",
        &[
            ("FINERACT_CLIENT_CERT_FILE", "certificate"),
            ("FINERACT_CLIENT_KEY_FILE", "other-key"),
        ],
        &[
            "FINERACT_CLIENT_CERT_FILE is set, but has no effect, because FINERACT_URL does not begin with https://",
            "FINERACT_CLIENT_KEY_FILE names …/other-key, which does not belong to the certificate of FINERACT_CLIENT_CERT_FILE",
        ],
    );
    files.assert_problems(
        FINERACT,
        &[("FINERACT_CLIENT_KEY_FILE", "key")],
        &["FINERACT_CLIENT_CERT_FILE is missing, but FINERACT_CLIENT_KEY_FILE is set"],
    );
}

#[test]
fn settings_that_are_right_show_nothing_of_the_key() {
    let files = Files::new();
    let right = files.read(
        FINERACT,
        &[
            ("TLS_CERT_FILE", "certificate"),
            ("TLS_KEY_FILE", "key"),
            ("TLS_CLIENT_CA_FILE", "certificate"),
            ("FINERACT_CLIENT_CERT_FILE", "certificate"),
            ("FINERACT_CLIENT_KEY_FILE", "key"),
        ],
    );
    let shown = format!("{:?}", right.expect("nothing is wrong"));
    let secret = files.issued.key.lines().nth(1).expect("a line of the key");
    assert!(
        !shown.contains(secret) && !shown.contains("hush"),
        "{shown}"
    );
}
