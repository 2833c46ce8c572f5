//! The directory of a story as its services see it, and how much was written.

use registry::SharedDirectory;

use crate::timeline::Timeline;

impl Timeline {
    /// Groups, officers, rosters and tokens, as every service of the story has them.
    #[must_use]
    pub fn directory(&self) -> &SharedDirectory {
        &self.host.directory
    }

    /// How many records the log has.
    #[must_use]
    pub fn records_written(&self) -> usize {
        self.log.records().len()
    }
}
