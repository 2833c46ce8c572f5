//! Policies: the example of C2SP tlog-policy, every fault with its line, and who is a quorum.

use crate::{
    checkpoint::SignedCheckpoint,
    hash::EMPTY_ROOT,
    key::{BadKey, LogKey, WitnessKey},
    policy::{BadPolicy, Fault, NotAccepted, POLICY_BYTES_MAX, Policy},
};

fn log_key(seed: u8) -> LogKey {
    LogKey::from_seed("keng.vn/log", &[seed; 32]).unwrap()
}

fn witness_key(number: u8) -> WitnessKey {
    WitnessKey::from_seed(&format!("witness.vn/{number}"), &[100 + number; 32]).unwrap()
}

/// The example of the specification: two of the witnesses X1 to X3, and one of Y1 to Y3.
fn example() -> String {
    let mut text = format!("# whom we trust\n\nlog {} https://keng.vn\n", log_key(1).verifier());
    for (number, name) in (1..).zip(["X1", "X2", "X3", "Y1", "Y2", "Y3"]) {
        text += &format!("witness {name} {}\n", witness_key(number).verifier());
    }
    text + "group X-witnesses 2 X1 X2 X3\n\
            group Y-witnesses any Y1 Y2 Y3\n\
            \tgroup  X-and-Y all\tX-witnesses Y-witnesses \n\
            quorum X-and-Y\n"
}

fn check(file: impl AsRef<[u8]>, line: usize, fault: Fault) {
    let file = file.as_ref();
    let told = String::from_utf8_lossy(file);
    assert_eq!(Policy::parse(file), Err(BadPolicy { line, fault }), "{told}");
}

#[test]
fn the_example_is_read() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    assert_eq!(policy.logs().len(), 1);
    assert_eq!(policy.logs()[0].key, *log_key(1).verifier());
    assert_eq!(policy.logs()[0].url.as_deref(), Some("https://keng.vn"));
    assert_eq!(policy.witnesses().len(), 6);
    assert_eq!(policy.witnesses()[5].key, *witness_key(6).verifier());
}

#[test]
fn a_quorum_is_counted_through_groups() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    for chosen in 0_u8..64 {
        let x = (chosen & 0b111).count_ones();
        let y = (chosen >> 3).count_ones();
        let cosigners: Vec<_> = (0..6_u8)
            .filter(|number| chosen >> number & 1 == 1)
            .map(|number| &policy.witnesses()[usize::from(number)].key)
            .collect();
        assert_eq!(policy.is_quorum(&cosigners), x >= 2 && y >= 1, "{chosen:06b}");
    }
    let none = Policy::parse(b"quorum none\n").unwrap();
    assert!(none.is_quorum(&[]));
    let one = format!("witness all {}\nquorum all\n", witness_key(1).verifier());
    let one = Policy::parse(one.as_bytes()).unwrap();
    assert!(one.is_quorum(&[witness_key(1).verifier()]));
    assert!(!one.is_quorum(&[witness_key(2).verifier()]));
}

#[test]
fn a_fault_names_its_line() {
    let (log, other) = (log_key(1), log_key(2));
    let (log, other) = (log.verifier(), other.verifier());
    let (one, two) = (witness_key(1), witness_key(2));
    let (one, two) = (one.verifier(), two.verifier());
    let witnesses = format!("witness a {one}\nwitness b {two}\n");

    check("", 1, Fault::NoQuorum);
    check("# nothing\n\n", 2, Fault::NoQuorum);
    check("quorum none", 1, Fault::Unended);
    check("\nquorum\u{b}none\n", 2, Fault::Control);
    check("quorum none\r\n", 1, Fault::Control);
    check("quorum none\u{7f}\n", 1, Fault::Control);
    check("quorum none\nQuorum none\n", 2, Fault::Keyword);
    check("quorum none # for now\n", 1, Fault::Items);
    check("quorum none\nlog\n", 2, Fault::Items);
    check("quorum none\nquorum none\n", 2, Fault::SameQuorum);
    check("quorum a\n", 1, Fault::UnknownName);

    check("log keng.vn/log\n", 1, Fault::Key(BadKey::Text));
    check(format!("log {one}\n"), 1, Fault::Key(BadKey::Type(4)));
    check(format!("log {log} a b\n"), 1, Fault::Items);
    check([format!("log {log} ").as_bytes(), b"\xff\n"].concat(), 1, Fault::Url);
    check(format!("log {log}\nlog {other}\nlog {log}\n"), 3, Fault::SameKey);

    check(format!("witness a {log}\n"), 1, Fault::Key(BadKey::Type(1)));
    check(format!("witness {one}\n"), 1, Fault::Items);
    check(format!("witness none {one}\n"), 1, Fault::SameName);
    check(format!("witness a {one}\nwitness a {two}\n"), 2, Fault::SameName);
    check(format!("witness a {one}\nwitness b {one}\n"), 2, Fault::SameKey);

    check(format!("{witnesses}group g all\n"), 3, Fault::Items);
    check(format!("{witnesses}group g\n"), 3, Fault::Items);
    check(format!("{witnesses}group none all a\n"), 3, Fault::SameName);
    check(format!("{witnesses}group a all b\n"), 3, Fault::SameName);
    check(format!("{witnesses}group g all c\n"), 3, Fault::UnknownName);
    check(format!("{witnesses}group g all g\n"), 3, Fault::UnknownName);
    check(format!("{witnesses}group g all none\n"), 3, Fault::UnknownName);
    check(format!("{witnesses}group g all a a\n"), 3, Fault::SameMember);
    check(format!("{witnesses}group g all a\ngroup h any a b\n"), 4, Fault::SameMember);
    for threshold in ["0", "3", "01", "+1", "-1", "some", "18446744073709551617"] {
        check(format!("{witnesses}group g {threshold} a b\n"), 3, Fault::Threshold);
    }
    let long = format!("#{}\n", "a".repeat(POLICY_BYTES_MAX));
    check(long, 1, Fault::TooLarge);
}

#[test]
fn names_are_bytes() {
    let mut file = b"# \xff comment\nwitness \xfe\xff ".to_vec();
    file.extend_from_slice(format!("{}\n", witness_key(1).verifier()).as_bytes());
    check(&file, 2, Fault::NoQuorum);
    file.extend_from_slice(b"quorum \xfe\xff\n");
    let policy = Policy::parse(&file).unwrap();
    assert!(!policy.is_quorum(&[]) && policy.is_quorum(&[witness_key(1).verifier()]));
}

#[test]
fn there_is_room_for_32_of_each() {
    let mut file = String::new();
    for number in 0..32 {
        file += &format!("log {}\n", log_key(number).verifier());
        file += &format!("witness w{number} {}\n", witness_key(number).verifier());
        let below = if number == 0 { String::new() } else { format!(" g{}", number - 1) };
        file += &format!("group g{number} all w{number}{below}\n");
    }
    file += "quorum g31\n";
    let policy = Policy::parse(file.as_bytes()).unwrap();
    let mut cosigners: Vec<_> = policy.witnesses().iter().map(|witness| &witness.key).collect();
    assert!(policy.is_quorum(&cosigners));
    cosigners.pop();
    assert!(!policy.is_quorum(&cosigners));
}

#[test]
fn a_checkpoint_needs_a_log_of_its_name_and_a_quorum() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    let of = |log: &LogKey, witnesses: &[u8]| {
        let mut checkpoint = SignedCheckpoint::sign(log, 0, EMPTY_ROOT);
        for number in witnesses {
            let at_s = u64::from(*number);
            let line = witness_key(*number).cosign(checkpoint.checkpoint(), at_s).unwrap();
            checkpoint.add(line).unwrap();
        }
        checkpoint
    };
    let good = of(&log_key(1), &[6, 1, 9, 3]);
    let accepted = policy.accept(&good).unwrap();
    assert_eq!(accepted.log, log_key(1).verifier());
    let times: Vec<_> = accepted.cosigned_s.iter().map(|(_, at_s)| *at_s).collect();
    assert_eq!(times, [6, 1, 3]);

    assert_eq!(policy.accept(&of(&log_key(1), &[6, 1, 9])), Err(NotAccepted::NoQuorum));
    assert_eq!(policy.accept(&of(&log_key(1), &[6, 1, 1])), Err(NotAccepted::NoQuorum));
    assert_eq!(policy.accept(&of(&log_key(1), &[])), Err(NotAccepted::NoQuorum));
    assert_eq!(policy.accept(&of(&log_key(2), &[6, 1, 3])), Err(NotAccepted::UnknownLog));
    // The key of one log does not sign for another.
    let other = LogKey::from_seed("keng.vn/other", &[1; 32]).unwrap();
    assert_eq!(policy.accept(&of(&other, &[6, 1, 3])), Err(NotAccepted::UnknownLog));
    let forged = good.to_string().replace("keng.vn/log\n0\n", "keng.vn/log\n1\n");
    let forged = SignedCheckpoint::parse(forged.as_bytes()).unwrap();
    assert!(matches!(policy.accept(&forged), Err(NotAccepted::Signature(_))));
}
