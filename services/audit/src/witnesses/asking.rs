//! One question to one witness: `add-checkpoint` with a proof from the size that it knows.

use domain::hex::hex;
use merkle::{
    SignedCheckpoint, TileId, VerifierKey,
    note::parse_signatures,
    proof::{Unprovable, consistency, root_of},
    verification::verify_consistency,
    witness::{Request, SIZE_MEDIA_TYPE},
};
use reqwest::{StatusCode, Url};
use sha2::{Digest, Sha256};

use crate::{
    outside::Outside,
    tree::{Tree, Trouble},
};

/// A witness says once which size it knows; more than once it is not to be relied on.
const TRIES_MAX: usize = 3;

/// What came of it.
pub(super) enum Answer {
    /// Its line stands on the published checkpoint, if that is still the newest.
    Cosigned,
    /// Nothing more may be signed.
    Objection(Trouble),
    /// It is away, slow, or does not do what a witness does; in words.
    Away(String),
}

/// A witness, and what it is known to have cosigned.
pub(super) struct Asking {
    tree: Tree,
    key: VerifierKey,
    address: Url,
    outside: Outside,
    /// The size that it cosigned last, as far as known.
    size: u64,
}

impl Asking {
    /// A witness that was not asked yet. What it knows is guessed from its line on the published
    /// checkpoint; it corrects what is wrong.
    pub(super) fn new(tree: &Tree, key: &VerifierKey, address: Url, outside: &Outside) -> Self {
        let published = tree
            .checkpoint()
            .filter(|published| published.note().signatures().iter().any(|line| line.is_by(key)));
        Self {
            tree: tree.clone(),
            key: key.clone(),
            address,
            outside: outside.clone(),
            size: published.map_or(0, |published| published.checkpoint().size()),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.key.name()
    }

    /// Asks for a cosignature over a checkpoint, and puts it where it is read.
    pub(super) async fn ask(&mut self, checkpoint: &SignedCheckpoint) -> Answer {
        for _ in 0..TRIES_MAX {
            let (body, old_size) = match self.request(checkpoint).await {
                Ok(request) => (request.to_string(), request.old_size),
                Err(trouble) => return Answer::Objection(trouble),
            };
            let request = self.outside.client().post(self.path("add-checkpoint")).body(body);
            let answer = match self.outside.call(request.build()).await {
                Ok(answer) => answer,
                Err(why) => return Answer::Away(why),
            };
            let text = String::from_utf8_lossy(&answer.body);
            match answer.status {
                StatusCode::OK => return self.cosigned(checkpoint, &text).await,
                StatusCode::CONFLICT if answer.media_type == SIZE_MEDIA_TYPE => {
                    let Some(size) = size_of(&text).filter(|size| *size != old_size) else {
                        return Answer::Away("it names no other size".to_owned());
                    };
                    if size > checkpoint.checkpoint().size() {
                        let why = format!("it has cosigned {size} entries");
                        return self.refused(checkpoint, &why).await;
                    }
                    self.size = size;
                }
                StatusCode::UNPROCESSABLE_ENTITY => {
                    let why = format!("it knows another history of {old_size} entries");
                    return self.refused(checkpoint, &why).await;
                }
                other => return Answer::Away(format!("it answers {other}")),
            }
        }
        Answer::Away("it names one size after another".to_owned())
    }

    /// The question. What the tiles here prove is made sure of first: a damaged tile would look
    /// like another history.
    async fn request(&self, checkpoint: &SignedCheckpoint) -> Result<Request, Trouble> {
        let (old_size, folder) = (self.size, self.tree.folder().clone());
        let (size, root) = (checkpoint.checkpoint().size(), checkpoint.checkpoint().root());
        let proof = tokio::task::spawn_blocking(move || {
            if old_size == 0 {
                return Ok(Vec::new());
            }
            let trouble = |why: Unprovable<std::io::Error>| match why {
                Unprovable::Read(cause) => Trouble::File { path: folder.path().to_owned(), cause },
                Unprovable::OutOfRange { .. } | Unprovable::Damaged { .. } => {
                    Trouble::Altered { size }
                }
            };
            // There may never have been tiles of just the old size: those of this one begin with
            // them.
            let tile = |id: TileId| {
                folder.tile(TileId::within(id.level(), id.index(), size).unwrap_or(id))
            };
            let old_root = root_of(old_size, tile).map_err(trouble)?;
            let proof = consistency(old_size, size, tile).map_err(trouble)?;
            verify_consistency(old_size, old_root, size, root, &proof)
                .map_err(|_| Trouble::Altered { size })?;
            Ok(proof)
        });
        let proof = proof.await.unwrap_or(Err(Trouble::Altered { size }))?;
        let own = checkpoint.note().signatures().iter();
        let own = own.filter(|line| line.is_by(self.tree.key())).cloned().collect();
        Ok(Request { old_size, proof, checkpoint: checkpoint.with_signatures(own) })
    }

    async fn cosigned(&mut self, checkpoint: &SignedCheckpoint, text: &str) -> Answer {
        let lines = parse_signatures(text).unwrap_or_default();
        let Some(line) = lines.into_iter().find(|line| line.is_by(&self.key)) else {
            return Answer::Away("its answer has no line of its key".to_owned());
        };
        if line.verify(checkpoint.note().text(), &self.key).is_err() {
            return Answer::Away("its cosignature is wrong".to_owned());
        }
        self.size = checkpoint.checkpoint().size();
        let (tree, key, over) = (self.tree.clone(), self.key.clone(), checkpoint.clone());
        let put = tokio::task::spawn_blocking(move || tree.cosigned(&over, &key, line));
        match put.await {
            Ok(Err(trouble)) => Answer::Objection(trouble),
            Ok(Ok(())) | Err(_) => Answer::Cosigned,
        }
    }

    /// The witness refuses: what it shows of this log goes with what it said.
    async fn refused(&self, checkpoint: &SignedCheckpoint, why: &str) -> Answer {
        let origin = hex(&Sha256::digest(checkpoint.checkpoint().origin()));
        let request = self.outside.client().get(self.path(&format!("{origin}/checkpoint")));
        let shown = match self.outside.call(request.build()).await {
            Ok(answer) if answer.status == StatusCode::OK => shown(&answer.body, self.tree.key()),
            _ => "it does not show it".to_owned(),
        };
        let here = checkpoint.checkpoint().to_string();
        let here = here.trim_end().replace('\n', " ");
        let why = format!("{why}, and here is signed: {here}; {shown}");
        Answer::Objection(Trouble::Refused { witness: self.name().to_owned(), why })
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.address.as_str().trim_end_matches('/'))
    }
}

/// What a witness shows of this log; only what this log's own key signed says anything.
fn shown(bytes: &[u8], key: &VerifierKey) -> String {
    let shown = SignedCheckpoint::parse(bytes).ok().filter(|shown| shown.verify([key]).is_ok());
    match shown {
        Some(shown) => format!("this log's own key signed:\n{shown}"),
        None => "it shows nothing that this log's key signed".to_owned(),
    }
}

/// A decimal and an LF (C2SP tlog-witness).
fn size_of(text: &str) -> Option<u64> {
    let number = text.strip_suffix('\n').unwrap_or(text);
    let size: u64 = number.parse().ok()?;
    (size.to_string() == number).then_some(size)
}
