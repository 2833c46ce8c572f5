//! Stories of real processes: raised in one, killed in another, found again after the restart.
//!
//! `embedded_*`: `keng up` on its own log. `nats_*`: four processes and a real nats-server.
//! `registry_*`: files, and no server. Each test has its own ports and folders, and ends what it
//! started.

mod embedded_alert;
mod embedded_cache;
mod embedded_configuration;
mod embedded_court;
mod embedded_crash;
mod embedded_demo;
mod embedded_disk;
mod embedded_drain;
mod embedded_drill;
mod embedded_erase;
mod embedded_full;
mod embedded_hanging;
mod embedded_key_file;
mod embedded_known;
mod embedded_passkey;
mod embedded_path;
mod embedded_people;
mod embedded_preflight;
mod embedded_proof;
mod embedded_same;
mod embedded_sealing;
mod embedded_signed;
mod embedded_stop;
mod embedded_stream;
mod embedded_timestamps;
mod embedded_variables;
mod embedded_witness;
mod nats_away;
mod nats_court;
mod nats_crash;
mod nats_erase;
mod nats_lost_class;
mod nats_map;
mod nats_path;
mod nats_preflight;
mod nats_readme;
mod nats_revocation;
mod nats_sharing;
mod nats_sign_in;
mod nats_starting;
mod nats_state;
mod nats_stream;
mod nats_trust;
mod nats_unreadable;
mod registry_import;
