//! What every log checks of a batch before it looks at its own records.

use crate::{
    log::AppendError,
    record::{BATCH_RECORDS_MAX, Class, Kind, RECORD_BYTES_MAX, Record},
};

/// The one class of a batch that can be appended as it is; `Refused` for any other batch: empty,
/// too long, of several classes, with a record too long, with a class that does not fit its kind.
pub fn class_of(records: &[Record]) -> Result<Class, AppendError> {
    let refused = |why: String| Err(AppendError::Refused(why));
    let Some(class) = records.first().map(|record| record.key.class) else {
        return refused("the batch is empty".to_owned());
    };
    if records.len() > BATCH_RECORDS_MAX {
        return refused(format!("{} records, at most {BATCH_RECORDS_MAX}", records.len()));
    }
    for record in records {
        if record.key.class != class {
            return refused(format!("records of {class:?} and {:?}", record.key.class));
        }
        let fits = match record.kind {
            Kind::Command => class == Class::Command,
            Kind::Commit { version } => class != Class::Command && version > 0,
        };
        if !fits {
            return refused(format!("a {:?} does not go under {class:?}", record.kind));
        }
        let longest =
            record.open.len().max(record.sealed.as_ref().map_or(0, |sealed| sealed.len()));
        if longest > RECORD_BYTES_MAX {
            return refused(format!("{longest} bytes, at most {RECORD_BYTES_MAX}"));
        }
    }
    Ok(class)
}
