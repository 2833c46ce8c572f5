//! Stories of people at their browsers: real pages of the real binary in a real Chromium.

mod anyone;
mod auditor;
mod neighbours;
mod passkeys;
mod people;
