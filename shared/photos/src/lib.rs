//! Pictures of alerts: taken in within limits, encoded anew without metadata, sized for each
//! channel, and stored by their content in a folder or a bucket.
//!
//! Nothing that was uploaded is ever served: only what was drawn anew from its pixels. Who may see
//! a picture is asked elsewhere (intake, `chassis::links`).

pub mod claims;
pub mod id;
pub mod picture;
pub mod store;
mod unnamed;

pub use id::{NotAPhotoId, PhotoId};
pub use picture::{NotAPicture, Picture, Size, UPLOAD_BYTES_MAX};
pub use store::{NotOpened, NotStored, NotTaken, Photos, Taken};
