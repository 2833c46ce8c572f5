//! Where an option's value comes from, and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy sees helpers outside of #[test]"
)]

use std::{env, fs, path::Path, process::Command};

use chassis::{ConfigError, ExitCode, KeyFile, Kind, PhotosUrl, ServerOptions, Service, Settings};
use clap::Parser;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: ServerOptions,
}

fn parse(args: &[&str]) -> Result<ServerOptions, clap::Error> {
    Line::try_parse_from([&["keng"], args].concat()).map(|line| line.options)
}

fn resolve(args: &[&str], service: Service) -> Result<Settings, ConfigError> {
    parse(args).unwrap().resolve(service, Kind::Real)
}

fn config(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keng.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

#[test]
fn each_service_has_its_ports() {
    for (service, http, grpc) in [
        (Service::Up, "127.0.0.1:8080", "127.0.0.1:8081"),
        (Service::Intake, "127.0.0.1:8080", "127.0.0.1:8081"),
        (Service::Alerting, "127.0.0.1:8082", "127.0.0.1:8083"),
        (Service::FanOut, "127.0.0.1:8084", "127.0.0.1:8085"),
        (Service::Audit, "127.0.0.1:8086", "127.0.0.1:8087"),
    ] {
        let settings = resolve(&["--nats", "nats://127.0.0.1:4222"], service).unwrap();
        assert_eq!(settings.http, http.parse().unwrap());
        assert_eq!(settings.grpc, grpc.parse().unwrap());
    }
    let settings = resolve(&["--http", "0.0.0.0:9000", "--behind-proxy"], Service::Up).unwrap();
    assert_eq!(settings.grpc, "0.0.0.0:9001".parse().unwrap());
    let settings = resolve(&["--http", "[::1]:0"], Service::Up).unwrap();
    assert_eq!(settings.grpc, "[::1]:0".parse().unwrap());
}

#[test]
fn beyond_this_machine_somebody_has_tls() {
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let outside = ["--http", "192.0.2.1:8080"];
    for (more, is_taken) in [
        (&tls[..], true),
        (&["--behind-proxy"], true),
        (&["--public-url", "https://keng.example.vn"], true),
        (&[], false),
        (&["--behind-proxy=false"], false),
        (&["--public-url", "http://keng.example.vn"], false),
    ] {
        let asked = resolve(&[&outside[..], more].concat(), Service::Up);
        let told = asked.as_ref().map_err(ToString::to_string).map(|_| ());
        assert_eq!(told.is_ok(), is_taken, "{more:?}: {told:?}");
        if let Err(told) = told {
            assert!(told.contains("--http") && told.contains("--behind-proxy"), "{told}");
        }
        assert!(resolve(more, Service::Up).is_ok(), "on this machine: {more:?}");
    }
    for (alone, missing) in [(&tls[..2], "--tls-key"), (&tls[2..], "--tls-cert")] {
        let told = resolve(alone, Service::Up).unwrap_err().to_string();
        assert!(told.starts_with(missing), "{told}");
    }
}

#[test]
fn defaults() {
    let settings = resolve(&[], Service::Up).unwrap();
    assert_eq!(settings.data, Path::new("keng-data"));
    assert_eq!(settings.disk_reserve_bytes, 1 << 30);
    assert_eq!((settings.key_file, settings.erasures), (KeyFile::Beside, None));
    let none = resolve(&["--key-file", "none"], Service::Up).unwrap();
    assert_eq!(none.key_file, KeyFile::None);
    assert!(!settings.allow_private_targets && !settings.accept_unverified_broker);
    let demo = parse(&[]).unwrap().resolve(Service::Up, Kind::Demo).unwrap();
    assert_eq!(demo.data, Path::new("keng-demo"));
}

#[test]
fn a_flag_wins_over_the_file() {
    let (_dir, file) = config(
        "data = 'from-file'\nhttp = '127.0.0.1:7000'\nnats = 'nats://u:secret@b:4222'\n\
         nats-monitor = 'http://b:8222/'\naccept-unverified-broker = true\n\
         registry = 'map'\ngroups = 'groups'\npolicy = 'p.toml'\nallow-private-targets = true\ndisk-reserve = 5\n\
         key-file = 'k'\nerasures = 'e'\naudit-key = 'a+1+b'\nwitnesses = 'w'\ntsa = 'https://tsa.vn/'\n",
    );
    let args = ["--config", &file, "--data", "flag", "--allow-private-targets=false"];
    let settings = resolve(&args, Service::Up).unwrap();
    assert_eq!(settings.data, Path::new("flag"));
    assert_eq!(settings.grpc.port(), 7001);
    assert!(settings.accept_unverified_broker && !settings.allow_private_targets);
    assert_eq!(settings.disk_reserve_bytes, 5);
    assert_eq!(settings.policy.as_deref(), Some(Path::new("p.toml")));
    assert_eq!(settings.key_file, KeyFile::At("k".into()));
    assert_eq!(settings.erasures.as_deref(), Some(Path::new("e")));
    assert_eq!(settings.audit_key.as_deref(), Some("a+1+b"));
    assert_eq!(settings.witnesses.as_deref(), Some(Path::new("w")));
    assert_eq!(settings.tsa.as_ref().unwrap().as_str(), "https://tsa.vn");
    assert_eq!(settings.nats_monitor.as_ref().unwrap().as_str(), "http://b:8222");
    assert_eq!(settings.nats.as_ref().unwrap().reveal(), "nats://u:secret@b:4222");
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let cases: [(&[&str], &str); 4] = [
        (&["--http", "127.0.0.1:65535"], "--http"),
        (&["--http", "127.0.0.1:80", "--grpc", "127.0.0.1:80"], "--grpc"),
        (&["--data", ""], "--data"),
        (&["--config", "/nowhere.toml"], "/nowhere.toml"),
    ];
    for (args, named) in cases {
        let shown = match parse(args) {
            Ok(options) => {
                let error = options.resolve(Service::Up, Kind::Real).unwrap_err();
                assert_eq!(error.exit_code(), 64);
                error.to_string()
            }
            Err(error) => {
                assert_eq!(ExitCode::of_usage(&error), 64);
                error.to_string()
            }
        };
        assert!(shown.contains(named), "{shown}");
    }
    let error = resolve(&[], Service::FanOut).unwrap_err().to_string();
    assert!(error.contains("fan-out") && error.contains("--nats"), "{error}");
    for (text, named) in [
        ("data = 'x'\nhtpp = '127.0.0.1:1'\n", "htpp"),
        ("\nhttp = 'here'\n", "line 2"),
        ("nats = 'http://b'\n", "nats://"),
        ("disk-reserve = -1\n", "line 1"),
        ("data = [", "line 1"),
    ] {
        let (_dir, file) = config(text);
        let error = resolve(&["--config", &file], Service::Up).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    for wrong in [
        "--http=here",
        "--nats=ftp://x",
        "--nats-monitor=b:8222",
        "--disk-reserve=1GB",
        "--tsa=tsa.vn",
    ] {
        assert_eq!(ExitCode::of_usage(&parse(&[wrong]).unwrap_err()), 64, "{wrong}");
    }
    assert_eq!(ExitCode::of_usage(&parse(&["--help"]).unwrap_err()), 0);
}

#[test]
fn pictures_lie_in_a_folder_or_a_bucket() {
    let of = |url: &str| resolve(&["--photos", url], Service::Up).unwrap().photos;
    assert_eq!(resolve(&[], Service::Up).unwrap().photos, None);
    assert_eq!(of("file:///var/p"), Some(PhotosUrl::Folder("/var/p".into())));
    for (url, bucket) in [("s3://keng", "s3://keng"), ("s3://keng/a/b/", "s3://keng/a/b")] {
        assert_eq!(of(url), Some(PhotosUrl::Bucket(bucket.to_owned())));
    }
    for wrong in [
        "",
        "photos",
        "file://photos",
        "file:///",
        "s3://",
        "s3:///a",
        "s3://key:secret@keng",
        "s3://keng/../other",
        "s3://keng?x=1",
        "https://keng.s3.example.vn",
    ] {
        assert!(parse(&["--photos", wrong]).is_err(), "{wrong}");
    }
    let (_dir, file) = config("photos = 's3://keng'\n");
    let of_file = resolve(&["--config", &file], Service::Up).unwrap().photos;
    assert_eq!(of_file, Some(PhotosUrl::Bucket("s3://keng".to_owned())));
}

/// Where this is set, the test below is the process that reads its variables.
const CHILD: &str = "KENG_TEST_CHILD";

#[test]
fn a_variable_stands_between_flag_and_file() {
    if env::var_os(CHILD).is_some() {
        let (_dir, file) = config("http = '127.0.0.1:7000'\ndata = 'file'\ngroups = 'file'\n");
        let settings = resolve(&["--config", &file, "--data", "flag"], Service::Up).unwrap();
        assert_eq!(settings.data, Path::new("flag"));
        assert_eq!(settings.http.port(), 6000);
        assert_eq!(settings.groups.as_deref(), Some(Path::new("file")));
        assert!(settings.accept_unverified_broker);
        return;
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["a_variable_stands_between_flag_and_file", "--exact"])
        .env(CHILD, "1")
        .env("KENG_DATA", "variable")
        .env("KENG_HTTP", "127.0.0.1:6000")
        .env("KENG_ACCEPT_UNVERIFIED_BROKER", "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

#[test]
fn an_address_of_a_broker_is_one_or_is_refused_without_being_repeated() {
    for good in [
        "nats://127.0.0.1:4222",
        "b",
        "b:4222",
        "nats://intake:p%40ss@nats:4222",
        "tls://n1.example.vn,tls://n2.example.vn:65535/",
        "nats://[::1]:4222",
        "ws://n:80/path",
        "wss://n",
    ] {
        let settings = resolve(&["--nats", good], Service::Intake).unwrap();
        assert_eq!(settings.nats.unwrap().reveal(), good);
    }
    for wrong in [
        "",
        "http://b:4222",
        "nats//b",
        "nats://",
        "nats://:4222",
        "nats://u:secret@",
        "nats://u:secret@:4222",
        "nats://u:secret@b:0",
        "nats://u:secret@b:65536",
        "nats://u:secret@b:port",
        "nats://u:secret@b:",
        "nats://u:secret@b:+1",
        "nats://u:secret@b b:4222",
        "nats://u:secret@b:4222,",
        "nats://[::1:4222",
        "nats://[b]:4222",
        "nats://[::1]4222",
    ] {
        let error = parse(&["--nats", wrong]).unwrap_err();
        assert_eq!(ExitCode::of_usage(&error), 64, "{wrong}");
        let said = error.to_string();
        assert!(said.contains("--nats") && said.contains("nats://HOST:PORT"), "{wrong}: {said}");
        assert!(!said.contains("secret"), "{wrong}: {said}");
        let (_dir, file) = config(&format!("data = 'x'\nnats = '{wrong}'\n"));
        let error = resolve(&["--config", &file], Service::Up).unwrap_err();
        assert_eq!(error.exit_code(), 64);
        let said = error.to_string();
        assert!(said.contains("dòng 2 (line 2), nats: "), "{wrong}: {said}");
        assert!(!said.contains("secret"), "{wrong}: {said}");
    }
}
