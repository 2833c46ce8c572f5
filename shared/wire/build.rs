//! Compiles `proto/` without protoc, and keeps the descriptor set for reflection and replay.
use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let proto = PathBuf::from("../../proto");
    println!("cargo:rerun-if-changed={}", proto.display());
    let mut files: Vec<PathBuf> = fs::read_dir(proto.join("keng/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let descriptors = protox::compile(&files, [&proto])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("keng.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".keng.v1").compile_fds(descriptors)?;
    Ok(())
}
