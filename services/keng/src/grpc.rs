//! What every server has beside its services over gRPC: health by the name of each service that it
//! really serves, and reflection in both versions, for older clients too.

use std::{convert::Infallible, sync::Arc};

use axum::{http, response::IntoResponse};
use chassis::{Health, Host};
use intake::Intake;
use tonic::{
    body::Body,
    codegen::Service,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_reflection::server::{Builder, Error as NotReflected};
use wire::v1::{
    alert_service_server::AlertServiceServer, command_service_server::CommandServiceServer,
    correction_service_server::CorrectionServiceServer,
    erasure_service_server::ErasureServiceServer, freeze_service_server::FreezeServiceServer,
    intake_service_server::IntakeServiceServer, matching_service_server::MatchingServiceServer,
    preflight_service_server::PreflightServiceServer, relay_service_server::RelayServiceServer,
    staff_service_server::StaffServiceServer,
};

use crate::Failed;

/// The services of a server, and their names.
pub(crate) struct Served {
    routes: RoutesBuilder,
    /// The empty name stands for the server as a whole.
    names: Vec<&'static str>,
    reporter: HealthReporter,
}

impl Served {
    /// Health and reflection.
    pub(crate) fn begin() -> Result<Self, Failed> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let mut served = Self { routes: RoutesBuilder::default(), names: vec![""], reporter };
        served.add(health);
        let unknown = |why: NotReflected| Failed::Trouble(why.into());
        served.add(reflection().build_v1().map_err(unknown)?);
        served.add(reflection().build_v1alpha().map_err(unknown)?);
        Ok(served)
    }

    /// One more service.
    pub(crate) fn add<S>(&mut self, service: S)
    where
        S: Service<http::Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
    }

    /// All of intake's.
    pub(crate) fn add_intake(&mut self, intake: Arc<Intake>) {
        self.add(ErasureServiceServer::new(intake::ErasureGrpc::new(Arc::clone(&intake))));
        self.add(FreezeServiceServer::new(intake::FreezeGrpc::new(Arc::clone(&intake))));
        let people = intake::Grpc::new(intake);
        self.add(IntakeServiceServer::new(people.clone()));
        self.add(AlertServiceServer::new(people.clone()));
        self.add(MatchingServiceServer::new(people.clone()));
        self.add(PreflightServiceServer::new(people.clone()));
        self.add(StaffServiceServer::new(people.clone()));
        self.add(CommandServiceServer::new(people.clone()));
        self.add(CorrectionServiceServer::new(people.clone()));
        self.add(RelayServiceServer::new(people));
    }

    /// The routes of all. From now on health tells of each what `/readyz` tells; other names are
    /// not found.
    pub(crate) async fn routes(self, host: &Host) -> Routes {
        let Self { routes, names, reporter } = self;
        report(&reporter, &names, &host.health).await;
        let (health, stop) = (host.health.clone(), host.drain.token());
        host.drain.spawn("grpc-health", async move {
            let mut changes = health.subscribe();
            loop {
                report(&reporter, &names, &health).await;
                tokio::select! {
                    () = changes.changed() => {}
                    () = stop.cancelled() => return,
                }
            }
        });
        routes.routes()
    }
}

fn reflection() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(wire::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

async fn report(reporter: &HealthReporter, names: &[&'static str], health: &Health) {
    let status = match health.readiness().ready {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    };
    for name in names {
        reporter.set_service_status(*name, status).await;
    }
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
