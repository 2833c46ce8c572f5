//! A commune's own instructions for its groups: who may read them, and their words.

use chassis::Problem;
use domain::{
    ids::{AlertId, CommuneCode, EntityName, Home, Millis, RecordId},
    looks::What,
};
use event_log::{Class, Key};
use wire::v1::sealed_content::Content;

use crate::{Intake, application::unsealed, looks::Reader, refused::starting};

/// The newest instructions of one commune.
pub(crate) struct Instruction {
    pub(crate) commune: CommuneCode,
    /// `None` where it was erased.
    pub(crate) text: Option<String>,
    pub(crate) officer: String,
    pub(crate) at: Millis,
}

impl Intake {
    /// The instructions about an alert that concern the asker: those of the own commune, or of the
    /// communes of the own province. The issuing commune sees only that there are some.
    pub(crate) async fn instructions(
        &self,
        reader: impl Into<Reader<'_>>,
        alert: AlertId,
    ) -> Result<Vec<Instruction>, Problem> {
        let reader = reader.into();
        let asker = reader.asker;
        let row = self.readable(asker, alert)?;
        self.door(&row).await?;
        let mut all = Vec::new();
        for relay in row.relays.values() {
            let home = relay.reached.home;
            let Some((content, officer, at)) = relay.story.instructed() else { continue };
            if asker.standing.acts_for(home) {
                let text = self.instruction_text(alert, home, content).await?;
                let (commune, officer) = (home.commune, officer.to_owned());
                all.push(Instruction { commune, text, officer, at });
            }
        }
        if all.iter().any(|one| one.text.is_some()) {
            self.look(reader, &[(&row, What::Words)]).await?;
        }
        Ok(all)
    }

    async fn instruction_text(
        &self,
        alert: AlertId,
        home: Home,
        content: RecordId,
    ) -> Result<Option<String>, Problem> {
        let entity = EntityName::relay(alert, home.commune);
        let key = Key { class: Class::Command, home, entity };
        let found = self.host.log.load(&key, Some(content)).await.map_err(|why| {
            tracing::warn!(%why, "instructions cannot be read");
            starting()
        })?;
        let content = found.first().and_then(|recorded| unsealed(recorded)?.content);
        Ok(match content {
            Some(Content::Instruction(text)) => Some(text.instruction),
            _ => None,
        })
    }
}
